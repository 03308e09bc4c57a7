/** `${NAME}`, `${NAME:-default}` and `${NAME:?message}` in a text; `$$` is a dollar sign. */
export function variablesIn(text: string): string[] {
  return [...text.replaceAll('$$', '').matchAll(/\$\{(\w+)(?:(?::?[-?+])[^}]*)?\}/g)].map((match) => match[1]!);
}

/** The text as compose makes it when nothing is set: defaults are taken, what must be set becomes `set-by-hand`. */
export function withDefaults(text: string): string {
  return text.replaceAll(/\$\{\w+(?::?([-?+])([^}]*))?\}/g, (_, kind: string | undefined, rest: string | undefined) =>
    kind === '-' ? (rest ?? '') : kind === '?' ? 'set-by-hand' : '',
  );
}
