-- Mail waiting to be delivered: a row is written in the transaction that causes it, a worker delivers it afterwards.
create table neon_auth.gatepost_mail (
  id bigint generated always as identity primary key,
  -- Chosen by the writer: the Message-ID of every attempt; the payload repeats it, so that it fits no other row.
  message_id uuid not null unique,
  created_at timestamptz not null,
  recipient text not null,
  kind text not null,
  -- Sealed, as it holds codes and links. Null once it is no longer needed.
  payload text,
  -- Written where no mail may go out, so that the answer takes the same time; never delivered.
  decoy boolean not null default false,
  attempts integer not null default 0,
  -- The next attempt; while one runs, the end of its lease.
  due_at timestamptz not null,
  finished_at timestamptz,
  delivered boolean not null default false,
  last_error text
);

create index gatepost_mail_due_at_idx on neon_auth.gatepost_mail (due_at) where finished_at is null;
create index gatepost_mail_finished_at_idx on neon_auth.gatepost_mail (finished_at) where finished_at is not null;
