// The server's own Data API, by the clients that applications use, signed in through the server. Tables: data-api.sql.
import { flow } from '../lib/runner.mjs';

const real = { needs: ['realDataApi'] };

/** a tab with a signed-up user and what a function does with its client */
async function as(t, fn, arg, kind = 'neon-js', init = {}) {
  const b = await t.browser(kind, init);
  const u = t.creds();
  const r = await b.exec(async ({ client }, [u, src, arg]) => {
    const up = await client.auth.signUp.email(u);
    const fn = (0, eval)(`(${src})`);
    return { id: up.data.user.id, r: await fn(client, up.data.user, arg) };
  }, [u, fn.toString(), arg]);
  return { ...r, u, b };
}

flow('data-api.neon-js-crud', real, async (t) => {
  const { r, id } = await as(t, async (c, me) => {
    const made = await c.from('notes').insert({ title: 'one', tags: ['a', 'b'], meta: { n: 1 } }).select().single();
    const many = await c.from('notes').insert([{ title: 'two' }, { title: 'three', done: true }], { defaultToNull: false }).select('title,done');
    const patched = await c.from('notes').update({ body: 'x' }).eq('title', 'two').select('title,body');
    const gone = await c.from('notes').delete().eq('title', 'three').select('title');
    const left = await c.from('notes').select('title', { count: 'exact' }).order('title');
    return { me: me.id, made, many, patched, gone, left };
  });
  for (const k of ['made', 'many', 'patched', 'gone', 'left']) t.eq(r[k].error, null, k);
  t.eq([r.made.status, r.made.data.title, r.made.data.user_id, r.made.data.tags, r.made.data.meta], [201, 'one', id, ['a', 'b'], { n: 1 }], 'made');
  t.eq(r.many.data, [{ title: 'two', done: false }, { title: 'three', done: true }], 'many');
  t.eq(r.patched.data, [{ title: 'two', body: 'x' }], 'patched');
  t.eq(r.gone.data, [{ title: 'three' }], 'gone');
  t.eq([r.left.data, r.left.count], [[{ title: 'one' }, { title: 'two' }], 2], 'left');
});

flow('data-api.rows-are-their-owners', real, async (t) => {
  const one = await as(t, async (c) => (await c.from('notes').insert({ title: 'mine' }).select('id').single()).data.id);
  const other = await as(t, async (c, _me, id) => ({
    read: await c.from('notes').select('*').eq('id', id),
    patch: await c.from('notes').update({ title: 'stolen' }).eq('id', id).select(),
    remove: await c.from('notes').delete().eq('id', id).select(),
    all: await c.from('notes').select('*'),
  }), one.r);
  for (const k of ['read', 'patch', 'remove', 'all']) t.eq([other.r[k].error, other.r[k].data], [null, []], k);
  const foreign = await as(t, (c, _me, owner) => c.from('notes').insert({ title: 'x', user_id: owner }), one.id);
  t.eq([foreign.r.status, foreign.r.error.code], [403, '42501'], 'insert for another');
});

flow('data-api.upsert', real, async (t) => {
  const { r } = await as(t, async (c) => {
    const first = await c.from('settings').upsert({ theme: 'dark' }).select('theme').single();
    const second = await c.from('settings').upsert({ theme: 'light' }, { onConflict: 'user_id' }).select('theme').single();
    const ignored = await c.from('settings').upsert({ theme: 'red' }, { onConflict: 'user_id', ignoreDuplicates: true }).select('theme');
    return { first: first.data, second: second.data, ignored: ignored.data, all: (await c.from('settings').select('theme')).data };
  });
  t.eq(r, { first: { theme: 'dark' }, second: { theme: 'light' }, ignored: [], all: [{ theme: 'light' }] }, 'upsert');
});

flow('data-api.embedding', real, async (t) => {
  const { r } = await as(t, async (c) => {
    const p = await c.from('projects').insert([{ name: 'site' }, { name: 'shop' }]).select('id,name');
    const site = p.data.find((x) => x.name === 'site').id;
    await c.from('tasks').insert([{ project_id: site, title: 'draw', hours: 2 }, { project_id: site, title: 'write', hours: 3 }]);
    return {
      many: (await c.from('projects').select('name,tasks(title,hours)').order('name').order('title', { referencedTable: 'tasks' })).data,
      one: (await c.from('tasks').select('title,project:projects(name)').order('title').limit(1)).data,
      inner: (await c.from('projects').select('name,tasks!inner(title)').eq('tasks.title', 'draw')).data,
      spread: (await c.from('tasks').select('title,...projects(project:name)').eq('title', 'write')).data,
      limited: (await c.from('projects').select('tasks(title)').eq('name', 'site').order('hours', { referencedTable: 'tasks', ascending: false }).limit(1, { referencedTable: 'tasks' })).data,
      none: (await c.from('projects').select('nothing(id)')).error?.code,
    };
  });
  t.eq(r.many, [{ name: 'shop', tasks: [] }, { name: 'site', tasks: [{ title: 'draw', hours: 2 }, { title: 'write', hours: 3 }] }], 'to many');
  t.eq(r.one, [{ title: 'draw', project: { name: 'site' } }], 'to one');
  t.eq(r.inner, [{ name: 'site', tasks: [{ title: 'draw' }] }], 'inner');
  t.eq(r.spread, [{ title: 'write', project: 'site' }], 'spread');
  t.eq(r.limited, [{ tasks: [{ title: 'write' }] }], 'limit on the embedded');
  t.eq(r.none, 'PGRST200', 'no relationship');
});

flow('data-api.filters', real, async (t) => {
  const { r } = await as(t, async (c) => {
    await c.from('notes').insert([
      { title: 'Alpha', body: 'the quick fox', tags: ['a'], meta: { n: 1 } },
      { title: 'beta', tags: ['a', 'b'], meta: { n: 2, s: { k: 'v' } }, done: true },
      { title: 'gamma, delta', body: '100%', meta: { n: 3 } },
    ], { defaultToNull: false });
    const q = async (f) => { const x = await f(c.from('notes').select('title').order('id')); return x.error ?? x.data.map((n) => n.title); };
    return {
      eq: await q((x) => x.eq('title', 'beta')), neq: await q((x) => x.neq('title', 'beta')),
      in: await q((x) => x.in('title', ['Alpha', 'gamma, delta'])), like: await q((x) => x.like('title', '%et%')),
      ilike: await q((x) => x.ilike('title', 'ALPHA')), is: await q((x) => x.is('body', null)),
      contains: await q((x) => x.contains('tags', ['b'])), overlaps: await q((x) => x.overlaps('tags', ['b', 'c'])),
      json: await q((x) => x.eq('meta->s->>k', 'v')), gt: await q((x) => x.gt('meta->n', 1)),
      or: await q((x) => x.or('title.eq.beta,body.fts.fox')), not: await q((x) => x.not('done', 'is', true)),
      text: await q((x) => x.textSearch('body', 'quick & fox')), match: await q((x) => x.match({ done: true, title: 'beta' })),
      range: await q((x) => x.range(1, 1)), percent: await q((x) => x.eq('body', '100%')),
    };
  });
  t.eq(r, {
    eq: ['beta'], neq: ['Alpha', 'gamma, delta'], in: ['Alpha', 'gamma, delta'], like: ['beta'], ilike: ['Alpha'], is: ['beta'],
    contains: ['beta'], overlaps: ['beta'], json: ['beta'], gt: ['beta', 'gamma, delta'], or: ['Alpha', 'beta'],
    not: ['Alpha', 'gamma, delta'], text: ['Alpha'], match: ['beta'], range: ['beta'], percent: ['gamma, delta'],
  }, 'filters');
});

flow('data-api.rpc', real, async (t) => {
  const { r, id, u } = await as(t, async (c) => {
    const p = await c.from('projects').insert({ name: 'p' }).select('id').single();
    await c.from('tasks').insert([{ project_id: p.data.id, title: 'a' }, { project_id: p.data.id, title: 'b' }]);
    return {
      who: (await c.rpc('whoami')).data, sum: (await c.rpc('add', { a: 2, b: 3 })).data, def: (await c.rpc('add', { a: 2 }, { get: true })).data,
      rows: (await c.rpc('tasks_of', { project: 'p' }).select('title').eq('title', 'b')).data, email: (await c.rpc('email')).data,
      fail: (await c.rpc('fail')).error, none: (await c.rpc('no_such')).error?.code,
    };
  });
  t.eq([r.who, r.sum, r.def, r.rows, r.email], [{ user_id: id, role: 'authenticated' }, 5, 3, [{ title: 'b' }], u.email], 'calls');
  t.eq(r.fail, { code: 'P0001', message: 'no', hint: 'ask', details: 'why' }, 'raised');
  t.eq(r.none, 'PGRST202', 'no function');
});

flow('data-api.errors', real, async (t) => {
  const { r } = await as(t, async (c) => {
    const e = async (p) => { const x = await p; return [x.status, x.error?.code]; };
    return {
      none: await e(c.from('notes').select().eq('id', 0).single()), maybe: await e(c.from('notes').select().eq('id', 0).maybeSingle()),
      table: await e(c.from('no_such').select()), column: await e(c.from('notes').insert({ no_such: 1 })),
      check: await e(c.from('notes').insert({ title: '' })), missing: await e(c.from('notes').insert({ body: 'x' })),
      type: await e(c.from('notes').select().eq('id', 'x')), denied: await e(c.from('private').select()),
      whole: await e(c.from('notes').delete()),
    };
  });
  t.eq(r, {
    none: [406, 'PGRST116'], maybe: [200, undefined], table: [404, 'PGRST205'], column: [400, 'PGRST204'], check: [400, '23514'],
    missing: [400, '23502'], type: [400, '22P02'], denied: [403, '42501'], whole: [400, 'GPDA002'],
  }, 'status and code');
});

flow('data-api.anonymous-token', { ...real, neon: true }, async (t) => {
  const b = await t.browser('neon-js', { options: { auth: { allowAnonymous: true } } });
  const r = await b.exec(async ({ client: c }) => ({
    news: await c.from('news').select('title').order('id'), own: await c.from('notes').select('*'),
    insert: await c.from('notes').insert({ title: 'x' }), who: (await c.rpc('whoami')).data,
  }));
  t.eq(r.news.data, [{ title: 'first' }, { title: 'second' }], 'what everybody reads');
  t.eq([r.own.error, r.own.data], [null, []], 'nobody has no rows');
  t.eq([r.insert.status, r.insert.error.code], [401, '42501'], 'nobody writes');
  t.eq(r.who, { user_id: null, role: 'anonymous' }, 'who');
});

flow('data-api.supabase-adapter', real, async (t) => {
  const b = await t.browser('neon-js-supabase');
  const u = t.creds();
  const r = await b.exec(async ({ client: c }, u) => {
    const up = await c.auth.signUp({ email: u.email, password: u.password });
    const made = await c.from('notes').insert({ title: 'x' }).select('user_id').single();
    return { id: up.data.user.id, made };
  }, u);
  t.eq([r.made.error, r.made.data?.user_id], [null, r.id], 'row');
});

flow('data-api.across-origins', real, async (t) => {
  const { r } = await as(t, async (c) => (await c.from('news').select('title').limit(1)).data, null, 'neon-js', { cors: true });
  t.eq(r, [{ title: 'first' }], 'a browser lets the page read it');
});

/** @supabase/postgrest-js with a token of the auth server */
async function postgrest(t) {
  const { PostgrestClient } = await import('@supabase/postgrest-js');
  const { cookie, u } = await t.rawSignUp();
  const token = (await t.http('/token', { cookie })).json.token;
  const client = new PostgrestClient(t.cfg.dataApiUrl, { headers: { Authorization: `Bearer ${token}` } });
  return { client, cookie, token, u };
}

flow('data-api.postgrest-js', real, async (t) => {
  const { client: c, u } = await postgrest(t);
  const made = await c.from('notes').insert({ title: 'x', meta: { a: [1, 2] } }).select().single();
  t.eq([made.error, made.status, made.data.user_id], [null, 201, u.id], 'insert');
  t.eq((await c.from('notes').select('title').csv()).data, 'title\nx', 'csv');
  const head = await c.from('notes').select('*', { count: 'exact', head: true });
  t.eq([head.status, head.count, head.data], [200, 1, null], 'head');
  t.eq((await c.from('notes').select('a:meta->a->1')).data, [{ a: 2 }], 'a path in JSON');
  t.eq((await c.rpc('add', { a: 1 }, { head: false, get: true })).data, 2, 'rpc by GET');
  const page = await c.from('news').select('id', { count: 'exact' }).order('id').range(0, 0);
  t.eq([page.status, page.count, page.data], [206, 2, [{ id: 1 }]], 'a page');
  const beyond = await c.from('news').select('id', { count: 'exact' }).range(10, 20);
  t.eq([beyond.status, beyond.error?.code], [416, 'PGRST103'], 'beyond the end');
  t.eq((await c.schema('neon_auth').from('user').select()).error?.code, 'PGRST106', 'the auth schema');
});

flow('data-api.bare-postgrest-of-neon', real, async (t) => {
  const { NeonPostgrestClient, fetchWithToken } = await import('@neondatabase/postgrest-js');
  const { token, u } = await postgrest(t);
  const c = new NeonPostgrestClient({ dataApiUrl: t.cfg.dataApiUrl, options: { global: { fetch: fetchWithToken(async () => token) } } });
  const r = await c.from('notes').insert({ title: 'x' }).select('user_id').single();
  t.eq([r.error, r.data?.user_id], [null, u.id], 'row');
});

flow('data-api.sign-out-ends-access', real, async (t) => {
  const { client: c, cookie } = await postgrest(t);
  t.eq((await c.from('news').select('id')).status, 200, 'signed in');
  t.eq((await t.http('/sign-out', { method: 'POST', json: {}, cookie })).status, 200, 'sign-out');
  const r = await c.from('news').select('id');
  t.eq([r.status, r.error.code], [401, 'PGRST303'], 'the same token, a moment later');
});

flow('data-api.no-credentials', real, async (t) => {
  const r = await t.http(`${t.cfg.dataApiUrl}/news`);
  t.eq([r.status, r.json], [400, { message: 'missing authentication credentials: required authorization bearer token in JWT format' }], 'as Neon answers');
  const { cookie } = await t.rawSignUp();
  t.eq((await t.http(`${t.cfg.dataApiUrl}/news`, { cookie })).status, 400, 'a cookie is nobody');
  const forged = await t.http(`${t.cfg.dataApiUrl}/news`, { headers: { authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.' } });
  t.eq([forged.status, forged.json.code], [401, 'PGRST301'], 'an unsigned token');
});

flow('data-api.schema-reload', { ...real, needs: ['realDataApi', 'sql'] }, async (t) => {
  const { client: c } = await postgrest(t);
  const name = `t${Date.now()}`;
  t.eq((await c.from(name).select()).error.code, 'PGRST205', 'not there yet');
  await t.hook('sql')(`create table public.${name} (id int); alter table public.${name} enable row level security; create policy p on public.${name} using (true); insert into public.${name} values (1); grant select on public.${name} to authenticated; notify pgrst, 'reload schema'`);
  let r;
  for (let i = 0; i < 200; i++) { r = await c.from(name).select(); if (!r.error) break; }
  t.eq(r.data, [{ id: 1 }], 'after the reload');
});

flow('data-api.many-at-once', real, async (t) => {
  const callers = await Promise.all(Array.from({ length: 5 }, () => postgrest(t)));
  await Promise.all(callers.map(({ client }) => client.from('notes').insert({ title: 'mine' })));
  const asked = Array.from({ length: 200 }, async (_, i) => {
    const { client, u } = callers[i % callers.length];
    const who = await client.rpc('whoami');
    const rows = await client.from('notes').select('user_id');
    return [who.data?.user_id === u.id, rows.error ?? rows.data.map((r) => r.user_id === u.id)];
  });
  t.eq(await Promise.all(asked), Array(200).fill([true, [true]]), 'everybody is themselves');
});
