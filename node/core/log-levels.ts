/** How much is written of each room: "info,mesh=debug,web=warn". */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The rooms that write lines; what belongs to none counts as "node". */
export const logRooms = ['node', 'backup', 'coordinator', 'db', 'ffmpeg', 'front', 'keeper', 'mesh', 'sources', 'web', 'worker'] as const;

export interface LevelWish {
  all: LogLevel;
  rooms: Readonly<Record<string, LogLevel>>;
}

/** The wish, or what is wrong with it as a sentence goes on ("must …"). Later parts win. */
export function parseLevels(text: string): LevelWish | { problem: string } {
  const wish: { all: LogLevel; rooms: Record<string, LogLevel> } = { all: 'info', rooms: {} };
  for (const part of text.split(',').map((each) => each.trim())) {
    const [name = '', level, ...more] = part.split('=').map((each) => each.trim().toLowerCase());
    if (more.length > 0 || name === '') return { problem: `must be like "info,mesh=debug", not "${part.slice(0, 60)}"` };
    if (level === undefined) {
      if (!isLevel(name))
        return { problem: `must name a level (${logLevels.join(', ')}) or room=level; "${name.slice(0, 60)}" is neither` };
      wish.all = name;
      continue;
    }
    if (!isLevel(level))
      return { problem: `must give ${name.slice(0, 60)} one of the levels ${logLevels.join(', ')}, not "${level.slice(0, 60)}"` };
    if (!(logRooms as readonly string[]).includes(name))
      return { problem: `must name one of the rooms ${logRooms.join(', ')}; "${name.slice(0, 60)}" is none` };
    wish.rooms[name] = level;
  }
  return wish;
}

export function levelOf(wish: LevelWish, room: string | null): LogLevel {
  return wish.rooms[room ?? 'node'] ?? wish.all;
}

export function isAtLeast(level: string, wanted: LogLevel): boolean {
  const rank = level === 'fatal' ? logLevels.length : (logLevels as readonly string[]).indexOf(level);
  return rank >= logLevels.indexOf(wanted);
}

export function levelsText({ all, rooms }: LevelWish): string {
  return [all, ...Object.entries(rooms).map(([room, level]) => `${room}=${level}`)].join(',');
}

function isLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}
