// Hooks for Gatepost: mail is read from its inbox, fixtures go through the runner's sidecar
// (HARNESS_SIDECAR, a server is known there by its port), log-ins at a provider are callback URLs.
import { poll } from './poll.mjs';
import { codeFor } from '../lib/fake-oauth.mjs';

const OTP = { 'sign-in': 'email-otp:sign-in', 'email-verification': 'email-otp:email-verification', 'forget-password': 'email-otp:forget-password' };
const LINK = { 'sign-in': 'magic-link', 'email-verification': 'verify-email', 'forget-password': 'reset-password' };

export default function create({ baseUrl }) {
  const { origin, port } = new URL(baseUrl);
  const inbox = async (to, kind) => {
    const query = new URLSearchParams({ to, ...(kind ? { kind } : {}) });
    const r = await fetch(`${origin}/inbox/messages?${query}`);
    if (!r.ok) throw new Error(`inbox: ${r.status} ${await r.text()}`);
    return r.json();
  };
  const newest = async (to, kind, since) => (await inbox(to, kind)).filter((m) => !since || new Date(m.at).getTime() >= since).at(-1)?.data;
  const fixture = async (sql, params) => {
    const r = await fetch(`${process.env.HARNESS_SIDECAR}/${port}/__fixture`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sql, params }),
    });
    const answer = await r.json();
    if (answer.error) throw new Error(`${sql}: ${answer.error}`);
    return answer;
  };
  return {
    readOtp: ({ email, type, since }) => poll(async () => (await newest(email, OTP[type], since))?.otp),
    readPhoneOtp: ({ phone, since }) => poll(async () => (await newest(phone, undefined, since))?.otp),
    readLink: ({ email, type, since }) => poll(() => newest(email, LINK[type], since)),
    countMail: async ({ email, type }) => (await inbox(email)).filter((m) => !type || m.kind === OTP[type] || m.kind === LINK[type]).length,
    sql: async (text) => { for (const one of text.split(';')) await fixture(one, []); },
    promoteAdmin: async ({ userId, email }) => {
      const answer = await fixture(`update "user" set role='admin' where ${userId ? 'id' : 'email'}=$1`, [userId ?? email]);
      if (answer.rowCount !== 1) throw new Error(`promote: ${JSON.stringify(answer)}`);
    },
    ...(process.env.HARNESS_OAUTH ? {
      oauth: {
        providers: ['github', 'google'],
        authorize: ({ url, profile, error }) => {
          const u = new URL(url);
          const back = new URL(u.searchParams.get('redirect_uri'));
          back.searchParams.set('state', u.searchParams.get('state'));
          if (error) back.searchParams.set('error', error); else back.searchParams.set('code', codeFor(profile));
          return back.href;
        },
      },
    } : {}),
  };
}
