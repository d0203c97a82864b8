// Ends the process with one clear line on a Node that cannot run tailship. Plain JavaScript,
// because an older Node cannot even parse the rest; imported first by tailship.js (any Node) and
// main.ts (a Node from 22.18 on gets that far). No exports.

const needed = 26;

if (Number(process.versions.node.split('.')[0]) < needed) {
  console.error(
    `tailship: NODE_TOO_OLD: tailship needs Node ${needed} or newer, and this is ${process.version}. ` +
      '`npm ci` brings the right one: start with `npm start` or `node_modules/.bin/node src/tailship.js`.',
  );
  process.exit(1);
}
