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

// Answers for pages on the auth server's own origin, as a reverse proxy in front of both does. Playwright's routes leave out
// what a redirect leads to.
export async function onSameOrigin(page, server, answer) {
  const devtools = await page.context().newCDPSession(page);
  const paths = ['/notes*', '/page.js', '/settings.js'];
  devtools.on('Fetch.requestPaused', ({ requestId, request }) => {
    const { status, contentType, body } = answer(request.url);
    const answered = { requestId, responseCode: status, responseHeaders: [{ name: 'content-type', value: contentType }], body: Buffer.from(body).toString('base64') };
    // The page may be gone.
    devtools.send('Fetch.fulfillRequest', answered).catch(() => {});
  });
  await devtools.send('Fetch.enable', { patterns: paths.map((path) => ({ urlPattern: `${server}${path}` })) });
}
