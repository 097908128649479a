-- The language of a mail, and the one a user chose for them.
create table neon_auth.gatepost_language (
  "userId" uuid primary key references neon_auth."user" (id) on delete cascade,
  language text not null
);

-- Null: the language of the configuration.
alter table neon_auth.gatepost_mail add column language text;
