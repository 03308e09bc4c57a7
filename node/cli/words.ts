/** One job as the API gives it, as far as the command line shows it. */
export interface JobAnswer {
  id: number;
  title: string;
  detail: string;
  state: string;
  outcome: string | null;
  inputBytes: number;
  expectedBytes: number;
  outputBytes: number | null;
  reason: { code: string; sentence: string } | null;
  progress: { percent: number; phase: string; leftMs: number | null; fps: number | null; heldBack?: { sentence: string } | null } | null;
}

export function jobLine(job: JobAnswer): string {
  const size = job.outputBytes ? `${bytes(job.inputBytes)} → ${bytes(job.outputBytes)}` : bytes(job.inputBytes);
  const progress = job.progress ? `, ${job.progress.phase} ${job.progress.percent.toFixed(1)} %` : '';
  const held = job.progress?.heldBack ? `. ${job.progress.heldBack.sentence}` : '';
  return `#${job.id}  ${job.title}${job.detail ? ` ${job.detail}` : ''}  ${job.outcome ?? job.state}, ${size}${progress}${held}`;
}

/** "1 file", "2 files" */
export function counted(n: number, one: string): string {
  return `${n} ${n === 1 ? one : `${one}s`}`;
}

/** Decimal units, as disks are sold. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let i = 0;
  for (; n >= 999.5 && i < units.length - 1; i++) n /= 1000;
  return `${n >= 100 || i === 0 ? n.toFixed(0) : n.toFixed(1)} ${units[i]}`;
}

export function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.max(1, Math.round(ms / 1000))} s`;
  if (minutes >= 48 * 60) return `${Math.round(minutes / 1440)} days`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
