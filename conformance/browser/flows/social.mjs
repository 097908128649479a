// Sign-in at other providers, through the page of the development server's stand-in.
import { randomUUID } from 'node:crypto';
import { holds, same } from '../lib/check.mjs';
import { totp } from '../lib/totp.mjs';
import { call, leave, visitor } from '../lib/visitor.mjs';
import { places } from './mail.mjs';

const VERIFIER = 'neon_auth_session_verifier';
const somebody = () => ({ email: `social-${randomUUID()}@example.com`, name: 'Mary Jackson' });
const at = (place, path) => new URL(path, place.home).href;

// Makes somebody up on the provider's page.
async function choose(page, person, { fault, verified = true } = {}) {
  await page.waitForURL('**/dev-provider/**');
  if (fault) {
    await page.getByText('Let something go wrong').click();
    await page.getByLabel(fault).check();
  }
  await page.getByText('Use another account').click();
  await page.getByRole('textbox', { name: 'E-mail' }).fill(person.email);
  await page.getByRole('textbox', { name: 'Name' }).fill(person.name);
  await page.getByLabel('The address is verified').setChecked(verified);
  await page.getByRole('button', { name: 'Continue' }).click();
}

async function roundTrip(world, place, provider) {
  const mary = await visitor(world, place);
  try {
    const person = somebody();
    const targets = { callbackURL: at(place, '/notes/home?keep=1'), newUserCallbackURL: at(place, '/notes/welcome'), errorCallbackURL: at(place, '/notes/oops') };
    await mary.leave('signIn.social', { provider, ...targets });
    await choose(mary.page, person);
    const welcome = await mary.arrive('**/notes/welcome**');
    same(welcome.searchParams.has(VERIFIER), place.neon, 'a verifier under the Neon layout only');
    const first = await mary.data('getSession');
    same([first?.user.email, first?.user.name, first?.user.emailVerified], [person.email, person.name, true], 'user');
    holds(first.user.image?.endsWith('.svg'), `picture: ${first.user.image}`);
    if (place.kind === 'neon') holds(!mary.page.url().includes(VERIFIER), `the client takes the verifier out of the address: ${mary.page.url()}`);
    same((await mary.data('listAccounts')).map((account) => account.providerId), [provider], 'accounts');
    await mary.visit(at(place, '/notes/home'));
    same((await mary.session())?.user.email, person.email, 'after a reload');
    same(await mary.page.evaluate(() => document.cookie), '', 'scripts see no cookie');

    await mary.data('signOut');
    same(await mary.session(), null, 'signed out');
    await mary.leave('signIn.social', { provider, ...targets });
    await choose(mary.page, person);
    const home = await mary.arrive('**/notes/home?keep=1**');
    same(home.searchParams.get('error'), null, 'no error');
    same((await mary.data('getSession'))?.user.id, first.user.id, 'the same user again');
  } finally { await mary.close(); }
}

// What goes wrong leads to errorCallbackURL, and nobody is signed in.
const FAILURES = [
  ['Cancel', async (page) => { await page.waitForURL('**/dev-provider/**'); await page.getByRole('button', { name: 'Cancel' }).click(); }, 'access_denied'],
  ...[
    ["The provider's page fails", 'server_error'],
    ['The ID token has expired', 'unable_to_get_user_info'],
    ["The ID token has another sign-in's nonce", 'unable_to_get_user_info'],
    ['The ID token is signed by a stranger', 'unable_to_get_user_info'],
    ['The token endpoint fails', 'invalid_code'],
    ['My e-mail address is not shared', 'email_not_found'],
  ].map(([fault, error]) => [fault, (page) => choose(page, somebody(), { fault }), error]),
];

async function failure(world, place, [what, act, expected]) {
  const mary = await visitor(world, place);
  try {
    await mary.leave('signIn.social', { provider: 'google', callbackURL: at(place, '/notes/home'), errorCallbackURL: at(place, '/notes/oops?keep=1') });
    await act(mary.page);
    const oops = await mary.arrive('**/notes/oops?keep=1**');
    same(oops.searchParams.get('error'), expected, what);
    same(oops.searchParams.has(VERIFIER), false, 'no verifier');
    same(await mary.session(), null, 'nobody is signed in');
  } finally { await mary.close(); }
}

// Somebody else's address at the provider, not verified there, is no way to their user.
async function unverified(world, place) {
  const owner = await visitor(world, place);
  const thief = await visitor(world, place);
  try {
    const person = somebody();
    const targets = { callbackURL: at(place, '/notes/home'), errorCallbackURL: at(place, '/notes/oops') };
    await owner.leave('signIn.social', { provider: 'google', ...targets });
    await choose(owner.page, person);
    await owner.arrive('**/notes/home**');
    same((await owner.data('getSession'))?.user.email, person.email, 'the owner is signed in');
    await thief.leave('signIn.social', { provider: 'github', ...targets });
    await choose(thief.page, person, { verified: false });
    const oops = await thief.arrive('**/notes/oops**');
    holds(oops.searchParams.get('error'), `refused: ${oops}`);
    same(await thief.session(), null, 'the thief is not signed in');
  } finally { await owner.close(); await thief.close(); }
}

// A verifier that leaked is good for nobody else, before and after its owner uses it.
async function stolen(world, place, first) {
  const mary = await visitor(world, place);
  const mallory = await visitor(world, place);
  try {
    const person = somebody();
    await mary.leave('signIn.social', { provider: 'google', callbackURL: at(place, '/plain') });
    await choose(mary.page, person);
    const leaked = await mary.arrive('**/plain?**');
    holds(leaked.searchParams.get(VERIFIER), `a verifier: ${leaked}`);
    const home = at(place, `/notes/home${leaked.search}`);
    if (first === 'owner') {
      await mary.visit(home);
      same((await mary.data('getSession'))?.user.email, person.email, 'the owner is signed in');
    }
    // Mallory has a sign-in of her own under way, and so a challenge.
    await mallory.leave('signIn.social', { provider: 'google', callbackURL: at(place, '/notes/home') });
    await mallory.page.waitForURL('**/dev-provider/**');
    await mallory.visit(home);
    holds((await mallory.call('getSession')).error, 'the exchange fails');
    await mallory.visit(at(place, '/notes/home'));
    same(await mallory.session(), null, 'the thief is not signed in');
    await mary.visit(home);
    same((await mary.session())?.user.email ?? null, first === 'owner' ? person.email : null, 'the owner');
  } finally { await mary.close(); await mallory.close(); }
}

// An application inside a frame of another site opens the provider in a window of its own.
async function popup(world, place) {
  const frame = at(place, '/notes/frame');
  const top = `http://host.localhost:${world.site.port}/embed?frame=${encodeURIComponent(frame)}`;
  const mary = await visitor(world, { ...place, home: top });
  try {
    const person = somebody();
    const [, inner] = mary.page.frames();
    await inner.waitForLoadState();
    const opened = mary.context.waitForEvent('page');
    await leave(inner, 'signIn.social', { provider: 'google', callbackURL: at(place, '/notes/home?keep=1') });
    const window = await opened;
    const closed = window.waitForEvent('close');
    await choose(window, person);
    await closed;
    await inner.waitForURL('**/notes/home?keep=1**');
    await inner.waitForLoadState();
    const { data, error } = await call(inner, 'getSession');
    same([data?.user.email, error ?? null], [person.email, null], 'signed in inside the frame');
  } finally { await mary.close(); }
}

// A client that knows nothing of second factors, on another site: the server asks on a page of its own.
async function secondFactor(world, place) {
  const mary = await visitor(world, place);
  try {
    const person = somebody();
    const targets = { provider: 'google', callbackURL: at(place, '/notes/home?keep=1'), errorCallbackURL: at(place, '/notes/oops') };
    const post = (path, body) => mary.page.evaluate(async ([url, body]) => {
      const answer = await fetch(url, { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
      return { status: answer.status, body: await answer.json() };
    }, [`${place.base}${path}`, body]);
    await mary.leave('signIn.social', targets);
    await choose(mary.page, person);
    await mary.arrive('**/notes/home?keep=1**');
    same((await mary.data('getSession'))?.user.email, person.email, 'signed in without a second factor');
    const { totpURI } = (await post('/two-factor/enable', {})).body;
    same((await post('/two-factor/verify-totp', { code: totp(totpURI, 0) })).status, 200, 'it is set up');
    await mary.data('signOut');

    await mary.leave('signIn.social', targets);
    await choose(mary.page, person);
    await mary.page.waitForURL('**/second-factor');
    await mary.page.getByLabel('Code of your authenticator').fill('000000');
    await mary.page.keyboard.press('Enter');
    await mary.page.getByText('That is not the code.').waitFor();
    await mary.page.getByLabel('Code of your authenticator').fill(totp(totpURI, 1));
    await mary.page.keyboard.press('Enter');
    const home = await mary.arrive('**/notes/home?keep=1**');
    same(home.searchParams.get('error'), null, 'no error');
    same((await mary.data('getSession'))?.user.email, person.email, 'signed in by both');
  } finally { await mary.close(); }
}

async function link(world, place) {
  const mary = await visitor(world, place);
  try {
    const person = somebody();
    await mary.data('signUp.email', { ...person, password: 'a good long password' });
    await mary.leave('linkSocial', { provider: 'github', callbackURL: at(place, '/notes/settings'), errorCallbackURL: at(place, '/notes/oops') });
    await choose(mary.page, person);
    const settings = await mary.arrive('**/notes/settings**');
    same(settings.searchParams.get('error'), null, 'no error');
    same((await mary.data('listAccounts')).map((account) => account.providerId).sort(), ['credential', 'github'], 'accounts');
    same((await mary.session())?.user.email, person.email, 'still signed in');
  } finally { await mary.close(); }
}

export default (world) => {
  const all = places(world);
  const [, foreign] = all.find(([name]) => name.includes('another site'));
  return [
    ...all.flatMap(([name, place]) => ['google', 'github', 'vercel'].map((provider) => [`signIn.social ${provider}: ${name}`, (world) => roundTrip(world, place, provider)])),
    ...all.filter(([name]) => name !== 'neon client, same origin').flatMap(([name, place]) => FAILURES.map((it) => [`signIn.social, ${it[0]}: ${name}`, (world) => failure(world, place, it)])),
    ...all.map(([name, place]) => [`signIn.social with a stranger's unverified address: ${name}`, (world) => unverified(world, place)]),
    ...all.map(([name, place]) => [`linkSocial: ${name}`, (world) => link(world, place)]),
    ['signIn.social with a second factor, from another site', (world) => secondFactor(world, foreign)],
    ['a stolen verifier, used by the thief first', (world) => stolen(world, foreign, 'thief')],
    ['a stolen verifier, used by its owner first', (world) => stolen(world, foreign, 'owner')],
    ['signIn.social inside a frame, by a window of its own', (world) => popup(world, foreign)],
  ];
};
