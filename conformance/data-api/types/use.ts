// What the printed types must allow, and what they must refuse. Compiled by `tsc --strict`, never run.
import { PostgrestClient } from '@supabase/postgrest-js'
import { NeonPostgrestClient } from '@neondatabase/postgrest-js'
import type { Database, Json } from './database.js'

const shop = new PostgrestClient<Database, { PostgrestVersion: '12' }, 'shop'>('http://localhost/rest/v1', { schema: 'shop' })
const neon = new NeonPostgrestClient<Database, 'shop'>({ dataApiUrl: 'http://localhost/rest/v1', options: { db: { schema: 'shop' } } })

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>): void => undefined
type Mood = 'sad' | 'it\'s "ok"' | 'größer' | ''

async function rows() {
  const { data } = await shop.from('customer').select('id, mail, mood, moods, maybe, odd, balance, address, scores, born')
  const row = data![0]!
  same<typeof row.id, number>(true)
  same<typeof row.mail, string>(true)
  same<typeof row.mood, Mood>(true)
  same<typeof row.moods, Mood[]>(true)
  same<typeof row.maybe, Mood | null>(true)
  same<typeof row.odd, 'a' | 'b' | null>(true)
  same<typeof row.scores, number[]>(true)
  same<typeof row.born, string | null>(true)
  row.address?.moods?.includes('sad')
  // @ts-expect-error: no such column
  await shop.from('customer').select('id').eq('nothing', 1).then((r) => r.data![0]!.nothing)
  const all = await neon.from('customer').select('*').single()
  same<NonNullable<typeof all.data>['addresses'], Database['shop']['CompositeTypes']['place'][] | null>(true)
}

async function writes() {
  await shop.from('customer').insert({ mail: 'a@b', moods: ['sad'], short: 'x', balance: 1 })
  await neon.from('customer').insert([{ mail: 'a@b', moods: [], short: 'x', ref: 3, mood: '', extra: { a: [1, null] } }])
  await shop.from('customer').update({ mood: 'größer', address: { street: 'x', 'zip code': 1, moods: null } }).eq('id', 1)
  // @ts-expect-error: the database alone numbers
  await shop.from('customer').insert({ id: 1, mail: 'a@b', moods: [], short: 'x' })
  // @ts-expect-error: the database alone computes
  await shop.from('customer').update({ mail_length: 1 })
  // @ts-expect-error: a column without default is missing
  await shop.from('customer').insert({ mail: 'a@b', moods: [] })
  // @ts-expect-error: no such label
  await shop.from('customer').insert({ mail: 'a@b', moods: ['glad'], short: 'x' })
  await shop.from('buyers').update({ mood: 'sad' }).eq('id', 1)
  // @ts-expect-error: nothing can be put into a view that groups
  await shop.from('totals').insert({ orders: 1 })
  await shop.from('Self').insert({})
}

async function names() {
  const { data } = await shop.from('order').select('*')
  const row = data![0]!
  same<(typeof row)['größe'], number | null>(true)
  same<(typeof row)['日本'], boolean | null>(true)
  same<(typeof row)["it's \"quoted\""], string | null>(true)
  same<(typeof row)['back\\slash'], string | null>(true)
  same<(typeof row)['1st'], number | null>(true)
  same<typeof row.constructor, string | null>(true)
  await shop.from('a b').select('note').eq('id', 1)
  const odd = await shop.schema('odd schema').from('Ta.ble').select('*').single()
  same<NonNullable<typeof odd.data>['Co.lumn'], ('a' | 'b')[] | null>(true)
}

async function embeds() {
  const one = await shop.from('order').select('id, customer(mail, mood)').single()
  same<NonNullable<typeof one.data>['customer'], { mail: string; mood: Mood }>(true)
  const many = await shop.from('customer').select('id, order(id)').single()
  same<NonNullable<typeof many.data>['order'], { id: string }[]>(true)
  const inner = await neon.from('customer').select('id, order!inner(type)').single()
  same<NonNullable<typeof inner.data>['order'], { type: string | null }[]>(true)
  // One row at most on the other side: its key is the foreign key.
  const single = await shop.from('customer').select('id, a b(note)')
  void single
}

async function calls() {
  const sum = await shop.rpc('add', { a: 1 })
  same<typeof sum.data, number | null>(true)
  const text = await shop.rpc('add', { a: 'x', c: 'y' })
  same<typeof text.data, string | null>(true)
  const found = await shop.rpc('customers_of', { mood: 'sad' }).select('id, mood, order(id)')
  same<NonNullable<typeof found.data>[number], { id: number; mood: Mood; order: { id: string }[] }>(true)
  const moods = await neon.rpc('moods')
  same<typeof moods.data, Mood[] | null>(true)
  const pair = await shop.rpc('pair')
  same<typeof pair.data, { x: number; 'y z': string } | null>(true)
  const lines = await shop.rpc('lines', { n: 1 })
  same<typeof lines.data, { line: string; mood: Mood }[] | null>(true)
  const moved = await shop.rpc('move', {
    to_place: { street: null, 'zip code': 1, moods: [] },
    who: {} as Database['shop']['Tables']['customer']['Row'],
  })
  same<typeof moved.data, Database['shop']['CompositeTypes']['place'] | null>(true)
  const ints = await shop.rpc('ints', { n: [1, 2] })
  same<typeof ints.data, number[] | null>(true)
  const cents = await shop.rpc('cents')
  same<typeof cents.data, number | null>(true)
  const odd = await shop.rpc('odd', { 'odd name': 'a' })
  same<typeof odd.data, 'a' | 'b' | null>(true)
  await shop.rpc('nothing')
  // @ts-expect-error: no such function
  await shop.rpc('missing')
  // @ts-expect-error: no such label
  await shop.rpc('customers_of', { mood: 'glad' })
}

const json: Json = { a: [1, 'x', null, { b: true }] }
void [rows, writes, names, embeds, calls, json]
