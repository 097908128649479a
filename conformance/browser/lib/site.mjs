// The application: every path is the same page, which creates its client when it is loaded, as `/settings.js` says;
// `/plain` is a page without.
// `app.localhost` and `localhost` are two sites to a browser, and both are trustworthy without TLS.
import http from 'node:http';
import { build } from 'esbuild';

const PLAIN = '<!doctype html><meta charset="utf-8"><title>App</title>';
const PAGE = `${PLAIN}<script src="/settings.js"></script><script src="/page.js"></script>`;

export async function application(port) {
  const entry = new URL('../page.mjs', import.meta.url).pathname;
  const script = (await build({ entryPoints: [entry], bundle: true, format: 'iife', write: false, logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"' } })).outputFiles[0].text;
  const page = ({ pathname, searchParams }) => {
    if (pathname === '/plain') return PLAIN;
    if (pathname === '/embed') return `${PLAIN}<iframe src="${encodeURI(searchParams.get('frame'))}"></iframe>`;
    return PAGE;
  };
  const answer = (url) => {
    const target = new URL(url, 'http://localhost');
    if (target.pathname === '/page.js') return { status: 200, contentType: 'text/javascript', body: script };
    return { status: 200, contentType: 'text/html', body: page(target) };
  };
  const server = http.createServer((req, res) => {
    const { status, contentType, body } = answer(req.url);
    res.writeHead(status, { 'content-type': contentType }).end(body);
  });
  await new Promise((ready) => server.listen(port, ready));
  return { port: server.address().port, answer, close: () => server.close() };
}

// Answers for pages on the auth server's own origin, as a reverse proxy in front of both does.
export const onSameOrigin = (context, server, { answer }) => context.route(
  (url) => url.origin === server && (url.pathname.startsWith('/notes') || url.pathname === '/page.js'),
  (route) => route.fulfill(answer(route.request().url())),
);
