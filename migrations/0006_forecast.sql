-- What a library would become, before anything of it is converted; files that wait until they are old enough.

alter table libraries
  add column looking boolean not null default false,                  -- look first: nothing is converted until a person says so
  add constraint libraries_looking check (not (looking and enabled)),
  add column known_since timestamptz default now();                   -- its first whole listing ended: what is found later was added
alter table libraries alter column known_since drop default;

alter table media_files
  add column frame_rate real,                                         -- of the film; null where it was not told
  add column look_at timestamptz;                                     -- decided again by itself then
create index media_files_look_at on media_files (look_at) where look_at is not null;
-- a dry run is filtered by reason and format, in the order in which files were found
create index media_files_reason on media_files (library_id, (reason ->> 'code'), id);
create index media_files_codec on media_files (library_id, codec, id);

-- which folders of libraries a node watches for changes, and why not
alter table nodes add column watching jsonb not null default '[]';

-- a person asked to measure: a few films of each large class are tried by short pieces
create table measures (
  id          bigint generated always as identity primary key,
  library_id  int not null references libraries(id) on delete cascade,
  state       text not null default 'running' check (state in ('running', 'completed', 'failed', 'cancelled')),
  films       int not null default 0,                                 -- to be tried
  tried       int not null default 0,
  failed      int not null default 0,
  reason      jsonb,                                                  -- why it ended early, or the last film that could not be tried
  asked_by    text not null,
  started_at  timestamptz not null default now(),
  ended_at    timestamptz,
  check ((state = 'running') = (ended_at is null))
);
create unique index measures_one_running on measures (library_id) where state = 'running';
create index measures_recent on measures (library_id, id desc);

-- what came of the pieces of one film; the newest of each film on each encoder counts
create table film_samples (
  id             bigint generated always as identity primary key,
  library_id     int not null references libraries(id) on delete cascade,
  file_id        bigint not null references media_files(id) on delete cascade,
  class          text not null check (length(class) <= 100),         -- core/library-forecast.ts
  wish           text not null check (length(wish) <= 100),          -- what of the profile decides the size
  node_id        text not null references nodes(id) on delete cascade,
  encoder        text not null,
  device         text not null default '',
  quality        double precision not null,                           -- on the profile's own scale
  pieces         smallint not null check (pieces > 0),
  source_bytes   bigint not null check (source_bytes > 0),
  output_bytes   bigint not null check (output_bytes > 0),
  film_ms        bigint not null check (film_ms > 0),                 -- length of the pieces
  pixels_per_second double precision not null check (pixels_per_second > 0),
  file_bytes     bigint not null,
  guessed_bytes  bigint not null,                                     -- what the general table expects of the whole film
  measured_bytes bigint not null,                                     -- what follows from the pieces
  measured_at    timestamptz not null default now(),
  unique (file_id, node_id, encoder, device, wish)
);
create index film_samples_library on film_samples (library_id, wish, id desc);

do $$
declare t text;
begin
  foreach t in array array['measures', 'film_samples'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;
