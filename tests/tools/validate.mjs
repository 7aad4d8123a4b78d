// Reads the name of a text file that lists glTF files, one a line, and prints one JSON object:
// {file: {errors: [...], warnings: n, info: {...}}}. No external resource is loaded; a file the validator cannot open
// has one error, NOT_READ.
import { readFile } from "node:fs/promises";
import { validateBytes } from "gltf-validator";

async function verdict(file) {
  try {
    const report = await validateBytes(new Uint8Array(await readFile(file)), { maxIssues: 1000 });
    const errors = report.issues.messages.filter((issue) => issue.severity === 0);
    return {
      errors: errors.map((issue) => `${issue.code} ${issue.pointer ?? issue.offset}: ${issue.message}`),
      warnings: report.issues.numWarnings,
      info: report.info ?? {},
    };
  } catch (failure) {
    return { errors: [`NOT_READ ${failure}`], warnings: 0, info: {} };
  }
}

const files = (await readFile(process.argv[2], "utf8")).split("\n").filter(Boolean);
const verdicts = {};
for (const file of files) verdicts[file] = await verdict(file);
process.stdout.write(JSON.stringify(verdicts));
