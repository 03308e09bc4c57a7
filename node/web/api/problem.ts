import * as v from 'valibot';
import { PlainError } from '../../errors.ts';
import { explain, isRefusal } from '../errors.ts';
import type { ErrorStatus, Schema } from './declare.ts';

export interface Problem {
  path: string;
  problem: string;
  /** what the value is now, where somebody else changed it meanwhile */
  current?: unknown;
}

/** A request that ends with a code that a script can tell apart, and what is wrong with each field. */
export class ApiProblem extends Error {
  override name = 'ApiProblem';
  readonly status: ErrorStatus;
  readonly code: string;
  readonly problems: Problem[];

  constructor(status: ErrorStatus, code: string, message: string, problems: Problem[] = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.problems = problems;
  }
}

/** The one shape of every error, here and at the front of a machine. */
export const errorAnswer = v.strictObject({
  error: v.strictObject({
    status: v.number(),
    code: v.pipe(v.string(), v.description('to be compared')),
    message: v.pipe(v.string(), v.description('to be read')),
    todo: v.optional(v.pipe(v.string(), v.description('what may help'))),
    problems: v.optional(v.array(v.strictObject({ path: v.string(), problem: v.string(), current: v.optional(v.unknown()) }))),
    requestId: v.string(),
  }),
});

export type ErrorAnswer = v.InferOutput<typeof errorAnswer>;

/** Anything that was thrown, in the shape of every error. Only words meant for people get out. */
export function problemJson(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof ApiProblem) {
    const { status, code, message, problems } = error;
    return { error: { status, code, message, ...(problems.length > 0 ? { problems } : {}), requestId } };
  }
  const { status, message, todo } = explain(error, requestId);
  const code = codeOf(error, status);
  // where a person would look for it instead helps no program
  return { error: { status, code, message, ...(code === 'not-found' ? {} : { todo }), requestId } };
}

function codeOf(error: unknown, status: number): string {
  if (isRefusal(error)) return error.code;
  if (error instanceof PlainError) return error.reason?.code ?? 'refused';
  return status === 503 ? 'database-away' : 'broken';
}

/** The value as the schema wants it. @throws ApiProblem 422 naming everything that does not fit */
export function fitting<S extends Schema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const problems = result.issues.slice(0, 20).map(problemOf);
  throw new ApiProblem(422, 'invalid-input', problems.map((p) => `${p.path || 'The input'} ${p.problem}`).join('; ') + '.', problems);
}

/** valibot's own sentences quote the value; ours say what is wanted. */
function problemOf(issue: v.BaseIssue<unknown>): Problem {
  const path = (issue.path ?? [])
    .map((part) => String(part.key))
    .join('.')
    .slice(0, 200);
  const unknownField = issue.type === 'strict_object' && issue.expected === 'never';
  const missing = issue.type === 'strict_object' && !unknownField && path !== '';
  return { path, problem: unknownField ? 'is not known' : missing ? 'is missing' : issue.message.slice(0, 300) };
}
