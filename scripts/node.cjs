'use strict';
// Runs the project's Node.js: the current one when it is new enough, else the pinned one that npm installed.
// Written so that Node 14 can still parse it: an old Node must get as far as the clear message below.
// It looks into node_modules/<package>/bin itself, because several npm versions leave node_modules/.bin/node
// missing when platform packages of other systems were skipped (npm/cli #4362).
var path = require('path');
var fs = require('fs');
var childProcess = require('child_process');

var MIN = [24, 12];
var version = process.versions.node.split('.').map(Number);
var args = process.argv.slice(2);
var newEnough = version[0] > MIN[0] || (version[0] === MIN[0] && version[1] >= MIN[1]);
var cache = process.env.NODE_COMPILE_CACHE || path.join(__dirname, '..', 'node_modules', '.cache', 'node-compile');

if (newEnough && args[0] && args[0][0] !== '-') runHere();
else runPinned(newEnough ? process.execPath : pinned());

/** Same process, no second start-up. */
function runHere() {
  require('module').enableCompileCache(cache);
  process.argv.splice(1, 1);
  process.argv[1] = path.resolve(args[0]);
  import(require('url').pathToFileURL(process.argv[1]).href).catch(function (error) {
    console.error(error);
    process.exit(1);
  });
}

function pinned() {
  var system = process.platform === 'win32' ? 'win' : process.platform;
  var executable = process.platform === 'win32' ? 'node.exe' : 'node';
  var names = ['node-' + system + '-' + process.arch, 'node-bin-' + system + '-' + process.arch];
  for (var i = 0; i < names.length; i++) {
    var file = path.join(__dirname, '..', 'node_modules', names[i], 'bin', executable);
    if (fs.existsSync(file)) return file;
  }
  return null;
}

function runPinned(bin) {
  if (!bin) {
    console.error(
      'CodecShift needs Node.js ' +
        MIN.join('.') +
        ' or newer; this is ' +
        process.version +
        ' and no bundled runtime was installed.\nRun "npm ci" without --omit=optional, or install Node.js 26 LTS.',
    );
    process.exit(1);
  }
  var env = Object.assign({}, process.env);
  env.NODE_COMPILE_CACHE = cache;
  var key =
    Object.keys(env).find(function (k) {
      return k.toUpperCase() === 'PATH';
    }) || 'PATH';
  env[key] = path.dirname(bin) + path.delimiter + (env[key] || '');
  // what stands behind -- Node.js leaves to the program: it would take --env-file for its own, wherever it stands
  var words = args[0] && args[0][0] !== '-' ? ['--'].concat(args) : args;
  var child = childProcess.spawn(bin, words, { stdio: 'inherit', env: env });
  // The terminal sends Ctrl-C to the whole group, so the child has it already; only SIGTERM comes to this process alone.
  ['SIGINT', 'SIGHUP', 'SIGBREAK', 'SIGTERM'].forEach(function (signal) {
    try {
      process.on(signal, function () {
        if (signal === 'SIGTERM') child.kill(signal);
      });
    } catch (error) {
      /* a signal this platform does not know */
    }
  });
  child.on('error', function (error) {
    console.error(String(error));
    process.exit(1);
  });
  child.on('exit', function (code, signal) {
    if (!signal) return process.exit(code === null ? 1 : code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
