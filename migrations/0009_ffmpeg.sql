-- every ffmpeg that a machine has, by its own word (core/ffmpeg-choice.ts); null: it did not say
alter table nodes add column ffmpeg jsonb;
