/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles the page: ui/src -> a folder with index.html, assets/<name>-<hash>,
 * manifest.txt (path, file, content type, tab-separated) and SHA256SUMS. Same
 * sources, same bytes. Usage: node build.mjs OUTDIR
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) throw new Error("usage: node build.mjs OUTDIR");

const JS_BUDGET = 25 * 1024;
const CSS_BUDGET = 6 * 1024;
const types = {
	html: "text/html; charset=utf-8",
	js: "text/javascript; charset=utf-8",
	css: "text/css; charset=utf-8",
	svg: "image/svg+xml",
};

async function bundle(entry) {
	const made = await build({
		absWorkingDir: here,
		entryPoints: [entry],
		bundle: true,
		minify: true,
		write: false,
		format: "esm",
		target: ["chrome123", "firefox120", "safari17.5"],
		charset: "utf8",
		legalComments: "none",
		jsx: "transform",
		jsxFactory: "h",
		jsxFragment: "Fragment",
		inject: entry.endsWith(".tsx") ? ["src/jsx.ts"] : [],
		/* Else the type checker's setting wins. */
		tsconfigRaw: {},
		outdir: ".",
	});
	return Buffer.from(made.outputFiles[0].contents);
}

const sum = (bytes) => createHash("sha256").update(bytes).digest("hex");

const files = new Map();

function asset(name, ext, bytes) {
	const file = `assets/${name}-${sum(bytes).slice(0, 8)}.${ext}`;
	files.set(file, bytes);
	return "/" + file;
}

function within(what, bytes, budget) {
	const size = gzipSync(bytes, { level: 9 }).length;
	console.log(`${what}: ${bytes.length} bytes, ${size} gzipped of ${budget}`);
	if (size > budget) throw new Error(`${what} is over its budget`);
}

const licence = "/*! SPDX-License-Identifier: Apache-2.0; with preact and @preact/signals (MIT) */\n";
const js = Buffer.concat([Buffer.from(licence), await bundle("src/main.tsx")]);
const css = await bundle("src/page.css");
within("js", js, JS_BUDGET);
within("css", css, CSS_BUDGET);

const html = readFileSync(join(here, "src/index.html"), "utf8")
	.replace("@js@", asset("page", "js", js))
	.replace("@css@", asset("page", "css", css))
	.replace("@icon@", asset("icon", "svg", readFileSync(join(here, "src/icon.svg"))));
files.set("index.html", Buffer.from(html));

const sorted = [...files.keys()].sort();
const manifest = sorted
	.map((f) => {
		const path = f === "index.html" ? "/vpn/mesh" : "/" + f;
		return [path, f, types[f.split(".").pop()]].join("\t") + "\n";
	})
	.join("");

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "assets"), { recursive: true });
for (const [file, bytes] of files) writeFileSync(join(out, file), bytes);
writeFileSync(join(out, "manifest.txt"), manifest);
writeFileSync(
	join(out, "SHA256SUMS"),
	[...sorted, "manifest.txt"]
		.map((f) => `${sum(f === "manifest.txt" ? Buffer.from(manifest) : files.get(f))}  ${f}\n`)
		.join(""),
);
