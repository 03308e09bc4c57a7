/**
 * Every reason CodecShift can give, as a code with parameters. A code is stored in PostgreSQL and in messages; the
 * sentence is made from it by `sentence()` at the moment it is shown, so that words can improve without a migration.
 */

export interface Reason {
  code: ReasonCode;
  /** plain values for the sentence; strings are untrusted (file names, ffmpeg output) and are escaped where shown */
  params?: Record<string, string | number>;
}

export type ReasonCode = string; // replaced by the closed list
