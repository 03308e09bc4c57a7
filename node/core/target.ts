/** Where the output of a plan stands in the end: beside the original, same name, the plan's extension. */
export function targetPath(path: string, extension: string): string {
  const slash = path.lastIndexOf('/');
  const dot = path.lastIndexOf('.');
  const stem = dot > slash + 1 ? path.slice(0, dot) : path;
  return path.endsWith(extension) ? path : `${stem}${extension}`;
}
