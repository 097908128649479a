// Somebody with a browser of their own, on a page of the application.
import { launch } from './chromium.mjs';
import { onSameOrigin } from './site.mjs';

// The Neon client answers from its cache otherwise.
export const FRESH = { fetchOptions: { headers: { 'X-Force-Fetch': '1' } } };

// Calls a method of the client in a page or frame: `{ data, error }`, however the client reports errors.
export const call = (target, method, argument) => target.evaluate(async ([method, argument]) => {
  let target = window.client;
  const names = method.split('.');
  for (const name of names.slice(0, -1)) target = target[name];
  try {
    const { data, error } = await target[names.at(-1)](argument);
    return { data, error };
  } catch (e) { return { error: { message: e.message, status: e.status, code: e.code } }; }
}, [method, argument]);

// The same for a call that leads away from the page: there is no answer.
export const leave = (target, method, argument) => target.evaluate(([method, argument]) => {
  let target = window.client;
  const names = method.split('.');
  for (const name of names.slice(0, -1)) target = target[name];
  void target[names.at(-1)](argument);
}, [method, argument]);

// `kind`: which client; `base`: its auth URL; `home`: the page it is on; `cookies`: those of third parties.
export async function visitor(world, { kind, base, home, cookies }) {
  const { context, close } = await launch(world.chromium, cookies);
  const settings = { status: 200, contentType: 'text/javascript', body: `window.settings = ${JSON.stringify({ kind, base })};` };
  const page = context.pages()[0] ?? await context.newPage();
  const server = new URL(base).origin;
  if (new URL(home).origin === server) {
    await onSameOrigin(page, server, (url) => url.endsWith('/settings.js') ? settings : world.site.answer(url));
  } else {
    await context.route((url) => url.pathname === '/settings.js', (route) => route.fulfill(settings));
  }
  await page.goto(home);
  const data = async (method, argument) => {
    const { data, error } = await call(page, method, argument);
    if (error) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return data;
  };
  return {
    context, page, close, data,
    call: (method, argument) => call(page, method, argument),
    leave: (method, argument) => leave(page, method, argument),
    visit: (url) => page.goto(url),
    // The application's page after a way through others.
    arrive: async (pattern) => { await page.waitForURL(pattern); await page.waitForLoadState(); return new URL(page.url()); },
    session: async () => (await call(page, 'getSession', FRESH)).data ?? null,
    cookies: () => context.cookies(new URL(base).origin),
  };
}
