// Codes and links by mail, read from the inbox.
import { randomUUID } from 'node:crypto';
import { holds, same } from '../lib/check.mjs';
import { BLOCKED } from '../lib/chromium.mjs';
import { mail } from '../lib/inbox.mjs';
import { visitor } from '../lib/visitor.mjs';

const VERIFIER = 'neon_auth_session_verifier';
const address = () => `mail-${randomUUID()}@example.com`;

async function code(world, place) {
  const ada = await visitor(world, place);
  try {
    const email = address();
    await ada.data('emailOtp.sendVerificationOtp', { email, type: 'sign-in' });
    const { otp } = await mail(world.dev, email, 'email-otp:sign-in');
    holds((await ada.call('signIn.emailOtp', { email, otp: otp === '000000' ? '000001' : '000000' })).error, 'a wrong code is refused');
    const signedIn = await ada.data('signIn.emailOtp', { email, otp });
    same([signedIn.user.email, signedIn.user.emailVerified], [email, true], 'user');
    same((await ada.session())?.user.email, email, 'session');
  } finally { await ada.close(); }
}

async function verifyEmail(world, place) {
  const ada = await visitor(world, place);
  try {
    const email = address();
    const signedUp = await ada.data('signUp.email', { email, password: 'a good long password', name: 'Ada' });
    same(signedUp.user.emailVerified, false, 'not proven yet');
    await ada.data('emailOtp.sendVerificationOtp', { email, type: 'email-verification' });
    const { otp } = await mail(world.dev, email, 'email-otp:email-verification');
    same((await ada.data('emailOtp.verifyEmail', { email, otp })).status, true, 'status');
    same((await ada.session())?.user.emailVerified, true, 'proven');
  } finally { await ada.close(); }
}

// The link shows a page; its button signs in.
async function link(world, place) {
  const ada = await visitor(world, place);
  try {
    const email = address();
    const callbackURL = new URL('/notes/home?keep=1', place.home).href;
    same((await ada.data('signIn.magicLink', { email, name: 'Ada', callbackURL })).status, true, 'status');
    const { url } = await mail(world.dev, email, 'magic-link');
    await ada.page.goto(url);
    await ada.page.getByRole('button', { name: 'Continue' }).click();
    const arrived = await ada.arrive('**/notes/home?keep=1**');
    same(arrived.searchParams.has(VERIFIER), place.neon, 'a verifier under the Neon layout only');
    const session = await ada.data('getSession');
    same(session?.user.email, email, 'signed in');
    if (place.kind === 'neon') holds(!ada.page.url().includes(VERIFIER), `the client takes the verifier out of the address: ${ada.page.url()}`);
    await ada.visit(callbackURL);
    same((await ada.session())?.user.email, email, 'after a reload');
    await ada.page.goto(url);
    await ada.page.getByRole('button', { name: 'Continue' }).click();
    const again = await ada.arrive('**/notes/home?keep=1**');
    same(again.searchParams.get('error'), 'INVALID_TOKEN', 'a link is good once');
  } finally { await ada.close(); }
}

export const places = ({ dev, devDatabase, site }) => {
  const neon = `${dev}/${devDatabase}/auth`, plain = `${dev}/api/auth`;
  const own = `${dev}/notes`, foreign = `http://app.localhost:${site.port}/`;
  return [
    ['better-auth client, same origin', { kind: 'better-auth', base: plain, home: own, cookies: BLOCKED, neon: false }],
    ['neon client, same origin', { kind: 'neon', base: neon, home: own, cookies: BLOCKED, neon: true }],
    ['neon client, another site, third-party cookies blocked', { kind: 'neon', base: neon, home: foreign, cookies: BLOCKED, neon: true }],
  ];
};

export default (world) => places(world).flatMap(([name, place]) => [
  [`signIn.emailOtp: ${name}`, (world) => code(world, place)],
  [`emailOtp.verifyEmail: ${name}`, (world) => verifyEmail(world, place)],
  [`signIn.magicLink: ${name}`, (world) => link(world, place)],
]);
