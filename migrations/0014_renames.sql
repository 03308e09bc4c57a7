-- a fetcher (Sonarr, Radarr) is asked to rename a film after its conversion, when its own rules would call it otherwise now
alter table sources
  add column rename_after boolean not null default false;
