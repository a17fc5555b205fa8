#!/usr/bin/env bash
# Fetches the bundles behind /docs and /redoc and writes them to assets/, gzip-compressed.
# For maintainers: needs npm, node and gzip. The result is committed, so a build needs only Go.
#
#   vendor.sh            write assets/
#   vendor.sh --check    fail if assets/ differs from what this script would write
#
# To upgrade: set the version, copy the integrity from `npm view NAME@VERSION dist.integrity`, run this script,
# run the tests, then open both pages in a browser. The script stops at a patch that no longer fits.
#
# ReDoc 3 is used instead of 2.5 because it is the version under development and has a dark mode. It still includes
# a bundle for the browser. By default it sends telemetry, loads logos and icons from hosts of its makers, and offers
# to send the document to chat services. The patches below remove all of this.
set -euo pipefail

swagger_ui=swagger-ui-dist@5.35.0
swagger_ui_integrity=sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==
redoc=redoc@3.0.1
redoc_integrity=sha512-KDfoKaYW19LCl4YStgBnwlaNjYEFfs5zCNt1s1WZ2YM5u8d26Yuzd2l43fZO851ZsgIMe/D640fDJkD8eaRQKQ==

. "$(dirname "$0")/../../tools/npm-assets.sh"

fetch "$swagger_ui" "$swagger_ui_integrity" swagger-ui
fetch "$redoc" "$redoc_integrity" redoc
from=$work/swagger-ui/package
cp "$from/LICENSE" "$out/swagger-ui.LICENSE.txt"
cp "$from/NOTICE" "$out/swagger-ui.NOTICE.txt"
cp "$from/swagger-ui-bundle.js.LICENSE.txt" "$from/swagger-ui-bundle.js" "$from/swagger-ui.css" "$out"
from=$work/redoc/package
cp "$from/LICENSE" "$out/redoc.LICENSE.txt"
cp "$from/bundles/redoc.standalone.js" "$out"

# Each patch must match exactly as often as it says. Otherwise the bundle is not the one that was examined.
node - "$out" <<'NODE'
const fs = require("node:fs"), path = require("node:path");
const patches = {
  "swagger-ui.css": [
    [1, "/*# sourceMappingURL=swagger-ui.css.map*/", ""],
  ],
  "swagger-ui-bundle.js": [
    // The default of validatorUrl sends the address of the document to a validator.
    [3, '"https://validator.swagger.io/validator"', "null"],
  ],
  "redoc.standalone.js": [
    // Telemetry is off by default, and there is no address to send it to.
    [1, "disabled:e.disabled??!1", "disabled:e.disabled??!0"],
    [1, "`https://otel.cloud.redocly.com/v1/traces`", "`about:blank`"],
    // The logo, an image from another host, is replaced by text.
    [1, "t?(0,V.jsx)(`img`,{alt:`redocly logo`,onError:()=>n(!1),src:e?`https://cdn.redoc.ly/redoc/logo-mini-full.svg`:`https://cdn.redoc.ly/redoc/logo-mini.svg`}):null",
      "t?(0,V.jsx)(`p`,{children:e?`Redocly`:`R`}):null"],
    // A document can name icons with x-icon. They are replaced by an empty image, so that no request is sent.
    [1, "`https://cdn.redocly.com/icons/fa/7.0.0`", "`data:,`"],
    [1, "`https://cdn.redocly.com/icons/code/5.24.0`", "`data:,`"],
    // "Open in ChatGPT" and "Open in Claude" put the document into the address of another host. "Copy" is kept.
    [1, "if(!r.specUrl)return(0,V.jsx)(k$,", "if(!0)return(0,V.jsx)(k$,"],
    [1, "{chatgpt:`https://chatgpt.com`,claude:`https://claude.ai/new`}", "{}"],
    // ReDoc tries eval, and moves the search index to a worker if it works. The policy does not allow eval, and the
    // attempt would be reported as a violation.
    [1, "try{return e._factory??=Function(XDe),!0}catch{return!1}", "return!1"],
  ],
};
for (const [name, list] of Object.entries(patches)) {
  const file = path.join(process.argv[2], name);
  let text = fs.readFileSync(file, "utf8");
  for (const [count, before, after] of list) {
    const parts = text.split(before);
    if (parts.length - 1 !== count) {
      console.error(`vendor.sh: ${name}: expected ${count} × ${before}, found ${parts.length - 1}`);
      process.exit(1);
    }
    text = parts.join(after);
  }
  // The Apache licence requires a notice in a changed file.
  fs.writeFileSync(file, `/* Changed by web-backend, which removed what would be loaded from other hosts. */\n${text}`);
}
NODE

finish
