/**
 * What is asked of the tests. `npm test` runs for every change and has to end within 25 minutes on a slow machine with two cores;
 * `npm test -- --all` runs beside that what repeats it on the other engine, in the other theme, at the points between two that
 * are tried, or as a whole story whose parts are tried one by one. Before a release.
 */
export const thorough = process.env['CODECSHIFT_TEST_ALL'] === '1';

/** For the `skip` of a test: false, or why it is not run. */
export const unlessAll = thorough ? false : 'npm test -- --all runs it';
