// Organizations of two people.
import { randomUUID } from 'node:crypto';
import { holds, same } from '../lib/check.mjs';
import { BLOCKED } from '../lib/chromium.mjs';
import { visitor } from '../lib/visitor.mjs';

const until = async (what, done) => {
  for (let tries = 0; tries < 100; tries++) { const value = await done(); if (value) return value; await new Promise((next) => setTimeout(next, 100)); }
  throw new Error(`never happened: ${what}`);
};

// Two people, two browsers: invited by mail, accepted on the server's own page, then roles, switching, leaving.
async function organization(world, kind, base) {
  const { server } = world;
  const place = { kind, base, home: `http://localhost:${world.site.port}/`, cookies: BLOCKED };
  const password = 'a good long password';
  const [ada, bob] = [`ada-${randomUUID()}@example.com`, `bob-${randomUUID()}@example.com`];
  const one = await visitor(world, place);
  const two = await visitor(world, place);
  try {
    await one.data('signUp.email', { email: ada, password, name: 'Ada' });
    const acme = await one.data('organization.create', { name: 'Acme', slug: `acme-${randomUUID()}` });
    const home = await one.data('organization.create', { name: 'Home', slug: `home-${randomUUID()}` });
    await one.data('organization.setActive', { organizationId: acme.id });
    await one.data('organization.inviteMember', { email: bob, role: 'member' });
    const mail = await until('the invitation arrives', async () => {
      const mails = await (await fetch(`${server}/inbox/messages?to=${encodeURIComponent(bob)}&kind=org-invitation`)).json();
      return mails[0];
    });
    const link = /https?:[^\s"<]+invitationId=[0-9a-f-]+/.exec(mail.text ?? JSON.stringify(mail))?.[0];
    holds(link?.startsWith(`${base}/accept-invitation?`), `the mail links to the page (${link})`);

    // Bob has no account yet: the page makes one, then shows the invitation.
    const page = await two.context.newPage();
    await page.goto(link);
    await page.getByLabel('Email').fill(bob);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Create an account' }).click();
    await page.getByText(`${ada} invites you to Acme as member.`).waitFor();
    await page.getByRole('button', { name: 'Accept' }).click();
    await page.getByText('You are a member of Acme now.').waitFor();
    await page.reload();
    await page.getByText('This invitation is not open').waitFor();
    await page.close();

    // Under partitioned cookies the application's page holds a session of its own.
    await two.data('signIn.email', { email: bob, password });
    const mine = await two.data('organization.list');
    same(mine.map((it) => it.id), [acme.id], 'Bob is in Acme');
    await two.data('organization.setActive', { organizationId: acme.id });
    const may = async (who, permissions) => (await who.data('organization.hasPermission', { permissions })).success;
    same(await may(two, { invitation: ['create'] }), false, 'a member may not invite');
    const refused = await two.call('organization.inviteMember', { email: 'x@example.com', role: 'member' });
    same(refused.error?.status, 403, 'and is refused');
    const members = (await one.data('organization.listMembers')).members;
    const member = members.find((it) => it.user.email === bob);
    await one.data('organization.updateMemberRole', { memberId: member.id, role: 'admin' });
    same(await may(two, { invitation: ['create'] }), true, 'an admin may, at once');

    await one.data('organization.setActive', { organizationId: home.id });
    same((await one.data('organization.getFullOrganization')).name, 'Home', 'switched');
    await one.data('organization.setActive', { organizationId: acme.id });
    same((await one.data('organization.getFullOrganization')).members.length, 2, 'and back');

    const last = await one.call('organization.leave', { organizationId: acme.id });
    same(last.error?.status, 400, 'the last owner stays');
    // The Neon client has codes of its own.
    if (kind === 'better-auth') same(last.error.code, 'YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER', 'and is told why');
    await two.data('organization.leave', { organizationId: acme.id });
    same(await two.data('organization.list'), [], 'Bob left');
    same((await two.call('organization.getFullOrganization', { query: { organizationId: acme.id } })).error?.status, 403, 'and reads nothing more');
  } finally { await one.close(); await two.close(); }
}

export default ({ server, database }) => [
  ['organization of two people, better-auth client, /api/auth', (world) => organization(world, 'better-auth', `${server}/api/auth`)],
  ['organization of two people, neon client, Neon layout', (world) => organization(world, 'neon', `${server}/${database}/auth`)],
];
