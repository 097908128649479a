import { isDeepStrictEqual } from 'node:util';

export const same = (got, want, what) => { if (!isDeepStrictEqual(got, want)) throw new Error(`${what}: expected ${JSON.stringify(want)}, got ${JSON.stringify(got)}`); };
export const holds = (value, what) => { if (!value) throw new Error(what); };
