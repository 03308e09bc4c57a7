-- Who may look, and who may change something: people, the ways they prove it, what they have open, and what was done.
-- Nothing here opens a door when it is read: of passwords, sessions and tokens there are only hashes.

create table users (
  id               int generated always as identity primary key,
  name             text not null check (length(name) between 1 and 60),
  name_key         text not null unique check (length(name_key) between 1 and 120), -- core/access.ts nameKey: one name in any case
  display_name     text not null default '' check (length(display_name) <= 100),
  role             text not null check (role in ('admin', 'viewer')),
  password         text check (length(password) <= 300),              -- PHC string; null: signs in another way
  one_time         boolean not null default false,                    -- the password was given out, and is changed at the next sign-in
  password_until   timestamptz,                                       -- a one-time password is void afterwards
  disabled         boolean not null default false,
  is_first         boolean not null default false,
  created_at       timestamptz not null default now(),
  created_by       text not null,
  last_sign_in_at  timestamptz,
  check (not one_time or password is not null)
);
-- whoever comes first when nobody is there, and never a second one beside him
create unique index users_first on users (is_first) where is_first;

-- a person as a provider knows him; never found by e-mail, which anybody may claim
create table identities (
  issuer       text not null check (length(issuer) between 1 and 500),
  subject      text not null check (length(subject) between 1 and 500),
  user_id      int not null references users(id) on delete cascade,
  label        text not null default '' check (length(label) <= 200), -- e-mail or name, to recognise it on the page
  linked_at    timestamptz not null default now(),
  last_used_at timestamptz,
  primary key (issuer, subject)
);
create index identities_user on identities (user_id);

create table sessions (
  id               text primary key check (length(id) = 64),          -- sha256 of what the cookie holds
  user_id          int not null references users(id) on delete cascade,
  method           text not null check (method in ('password', 'oidc', 'proxy')),
  created_at       timestamptz not null default now(),
  seen_at          timestamptz not null default now(),                -- a person did something; live updates do not count
  authenticated_at timestamptz not null default now(),                -- proved who he is, for dangerous things
  address          text not null default '' check (length(address) <= 64),
  agent            text not null default '' check (length(agent) <= 200),
  id_token         text                                               -- sealed; named to the provider when signing out there
) with (fillfactor = 70);
create index sessions_user on sessions (user_id, created_at desc);

create table api_tokens (
  id           text primary key check (length(id) between 8 and 32),  -- the part of the token that may be seen
  hash         text not null check (length(hash) = 64),
  name         text not null check (length(name) between 1 and 100),
  scopes       text[] not null check (cardinality(scopes) between 1 and 10),
  user_id      int references users(id) on delete cascade,            -- null: made while nobody had to sign in
  created_by   text not null,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  last_used_at timestamptz
) with (fillfactor = 70);

-- failures in a row: of an account, of an address, of a browser that signed in before
create table throttles (
  key        text primary key check (length(key) between 1 and 200),
  failures   int not null default 0,
  first_at   timestamptz not null default now(),
  last_at    timestamptz not null default now()
) with (fillfactor = 50);
create index throttles_old on throttles (last_at);

create table audit (
  id       bigint generated always as identity primary key,
  at       timestamptz not null default now(),
  actor    text not null check (length(actor) <= 100),
  user_id  int,                                                       -- no reference: it outlives the person
  via      text not null check (length(via) <= 20),
  address  text not null default '' check (length(address) <= 64),
  agent    text not null default '' check (length(agent) <= 200),
  action   text not null check (length(action) between 1 and 60),
  object   text not null default '' check (length(object) <= 300),    -- names only, never a secret
  result   text not null check (result in ('ok', 'refused', 'failed')),
  says     text not null default '' check (length(says) <= 500)
);
create index audit_at on audit (at);

create function audit_is_kept() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.at < now() - interval '399 days' then
    return old;
  end if;
  raise exception 'the audit log is only ever appended to' using errcode = 'CS002';
end $$;
create trigger audit_kept before update or delete on audit for each row execute function audit_is_kept();

-- one row once it was decided how people are let in: two that decide at the same moment cannot both be the first
create table access_setup (
  one        boolean primary key default true check (one),
  method     text not null check (method in ('local', 'oidc', 'none')),
  decided_at timestamptz not null default now(),
  decided_by text not null,
  address    text not null default ''
);

-- secrets of the cluster by name, sealed with a key that is not in the database; they can be replaced and are never shown
create table secrets (
  name       text primary key check (length(name) between 1 and 100),
  sealed     text not null check (length(sealed) <= 20000),
  changed_at timestamptz not null default now(),
  changed_by text not null
);

do $$
declare t text;
begin
  foreach t in array array['users', 'identities', 'sessions', 'api_tokens', 'throttles', 'audit', 'access_setup', 'secrets'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;
