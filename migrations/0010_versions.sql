-- Machines of neighbouring versions: what each of them runs, which schema a candidate knows, and which program made this one.
-- These tables are read by other versions than the one that wrote them; core/compatibility.ts says what that asks of them.

alter table nodes
  add column speaks_min int not null default 1,                      -- the messages its program understands (core/compatibility.ts)
  add column speaks_max int not null default 1;

alter table candidates
  add column schema  int,                                            -- how many migrations it knows; null: older than this column
  add column version text;                                           -- of its program, for people

alter table schema_migrations add column program text;               -- the version that applied it; null: older than this column
