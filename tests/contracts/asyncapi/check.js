// Parses the AsyncAPI document named first; the parser's modules are in the folder named second.
const fs = require("fs");
const path = require("path");
const { Parser } = require(path.join(process.argv[3], "node_modules", "@asyncapi", "parser"));

new Parser().parse(fs.readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  const wrong = diagnostics.filter((found) => found.severity < 2);
  wrong.forEach((found) => console.log(`${found.path.join("/")}: ${found.message}`));
  process.exit(document && wrong.length === 0 ? 0 : 1);
});
