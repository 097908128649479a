import http from 'node:http';
import { toNodeHandler } from 'better-auth/node';
import { auth } from './auth.mjs';

const server = http.createServer(toNodeHandler(auth));
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.PORT), '127.0.0.1', 4096);
