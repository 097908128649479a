// Second factors and passkeys, by the stock client and Chromium's virtual authenticator.
import { randomUUID } from 'node:crypto';
import { holds, same } from '../lib/check.mjs';
import { BLOCKED } from '../lib/chromium.mjs';
import { mail } from '../lib/inbox.mjs';
import { totp } from '../lib/totp.mjs';
import { visitor } from '../lib/visitor.mjs';

const password = 'a good long password';

async function secondFactor(world, base) {
  const email = `second-${randomUUID()}@example.com`;
  const home = `http://localhost:${world.site.port}/`;
  const one = await visitor(world, { kind: 'better-auth', base, home, cookies: BLOCKED });
  const two = await visitor(world, { kind: 'better-auth', base, home, cookies: BLOCKED });
  const isSignedIn = async (who) => !!(await who.session());
  const isAsked = async (who) => (await who.data('signIn.email', { email, password })).twoFactorRedirect === true;
  try {
    await one.data('signUp.email', { email, password, name: 'Second' });
    const { totpURI, backupCodes } = await one.data('twoFactor.enable', { password });
    same(backupCodes.length, 10, 'backup codes');
    // A code counts once: later the one of the next step is shown, which the server takes half a minute early.
    await one.data('twoFactor.verifyTotp', { code: totp(totpURI, 0) });
    same((await one.session()).user.twoFactorEnabled, true, 'it is set up');
    await one.data('signOut');

    same(await isAsked(one), true, 'the second factor is asked for');
    same(await isSignedIn(one), false, 'nobody is signed in before it');
    same((await one.call('twoFactor.verifyTotp', { code: 'x' })).error?.code, 'INVALID_CODE', 'a wrong code');
    await one.data('twoFactor.verifyTotp', { code: totp(totpURI, 1), trustDevice: true });
    same(await isSignedIn(one), true, 'signed in by the authenticator');

    await one.data('signOut');
    same(await isAsked(one), false, 'a trusted browser is not asked');
    same(await isSignedIn(one), true, 'a trusted browser is signed in');

    same(await isAsked(two), true, 'another browser is asked');
    await two.data('twoFactor.verifyBackupCode', { code: backupCodes[0] });
    same(await isSignedIn(two), true, 'signed in by a backup code');
    await two.data('signOut');
    same(await isAsked(two), true, 'and asked again');
    same((await two.call('twoFactor.verifyBackupCode', { code: backupCodes[0] })).error?.code, 'INVALID_BACKUP_CODE', 'a backup code works once');
    await two.data('twoFactor.sendOtp');
    const { otp } = await mail(new URL(base).origin, email, 'two-factor-otp');
    await two.data('twoFactor.verifyOtp', { code: otp });
    same(await isSignedIn(two), true, 'signed in by a mailed code');

    await two.data('twoFactor.disable', { password });
    await one.data('signOut');
    same(await isAsked(one), false, 'nobody is asked any more');
  } finally { await one.close(); await two.close(); }
}

async function passkeys(world, base) {
  const email = `passkey-${randomUUID()}@example.com`;
  const one = await visitor(world, { kind: 'better-auth', base, home: `http://localhost:${world.site.port}/`, cookies: BLOCKED });
  const devtools = await one.context.newCDPSession(one.page);
  const who = async () => (await one.session())?.user?.email ?? null;
  try {
    await devtools.send('WebAuthn.enable');
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
    await one.data('signUp.email', { email, password, name: 'Passkey' });
    same((await one.data('passkey.addPasskey', { name: 'Desk' })).name, 'Desk', 'a passkey is added');
    const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId });
    same(credentials.map((key) => [key.rpId, key.isResidentCredential]), [['localhost', true]], 'the device holds it');
    holds((await one.call('passkey.addPasskey', { name: 'Twice' })).error, 'a device is registered once');
    const [listed] = await one.data('passkey.listUserPasskeys');
    same((await one.data('passkey.updatePasskey', { id: listed.id, name: 'Phone' })).passkey.name, 'Phone', 'renamed');

    await one.data('signOut');
    same(await who(), null, 'signed out');
    await one.data('signIn.passkey');
    same(await who(), email, 'signed in without a name');

    await one.data('signOut');
    same(await one.page.evaluate(() => PublicKeyCredential.isConditionalMediationAvailable()), true, 'the browser knows conditional UI');
    await one.page.evaluate(() => { document.body.innerHTML = '<input name="email" autocomplete="username webauthn" autofocus>'; });
    await one.data('signIn.passkey', { autoFill: true });
    same(await who(), email, 'signed in from the field');

    await one.data('passkey.deletePasskey', { id: listed.id });
    same(await one.data('passkey.listUserPasskeys'), [], 'none is left');
    await one.data('signOut');
    holds((await one.call('signIn.passkey')).error, 'a removed passkey signs nobody in');
    same(await who(), null, 'nobody is signed in');
  } finally { await devtools.detach(); await one.close(); }
}

export default ({ dev, devDatabase }) => [
  ['second factor, /api/auth', (world) => secondFactor(world, `${dev}/api/auth`)],
  ['second factor, Neon layout', (world) => secondFactor(world, `${dev}/${devDatabase}/auth`)],
  ['passkeys, /api/auth', (world) => passkeys(world, `${dev}/api/auth`)],
  ['passkeys, Neon layout', (world) => passkeys(world, `${dev}/${devDatabase}/auth`)],
];
