/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The browser side of the tests: Debian's Chromium with a fresh profile, a
 * watch for everything that must not happen in a page, and the checks that
 * count. Pictures of failures go where MESH_SHOTS points.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let passed = 0;
let failed = 0;

export function check(name, good, detail = "") {
	if (good) passed++;
	else failed++;
	console.log(`${good ? "ok     " : "FAILED "} ${name}${!good && detail ? ": " + detail : ""}`);
	return good;
}

export function equal(name, got, want) {
	return check(name, got === want, `got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

/* One group of steps; what throws fails the group and the next one goes on. */
export async function group(name, page, steps) {
	try {
		await steps();
	} catch (e) {
		check(name, false, String(e.message).split("\n")[0]);
		if (process.env.MESH_SHOTS)
			await page.screenshot({ path: `${process.env.MESH_SHOTS}/${name.replace(/\W+/g, "-")}.png` });
		/* The next group starts from the page as it opens. */
		await page.reload().catch(() => {});
	}
}

export function finish() {
	console.log(`passed ${passed} failed ${failed} skipped 0`);
	return failed ? 1 : 0;
}

export function launch() {
	return chromium.launch({
		executablePath: "/usr/bin/chromium",
		headless: true,
		args: [
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
		],
	});
}

/* A person's browser: cookies and storage of its own, offences collected. */
export async function person(browser, options = {}) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
	context.setDefaultTimeout(20_000);
	/* "Leave this page?" while a secret is shown: a test means it. */
	context.on("dialog", (d) => d.accept());
	const offences = [];
	await context.exposeBinding("tellOffence", (_, text) => offences.push(text));
	await context.addInitScript(() => {
		document.addEventListener("securitypolicyviolation", (e) =>
			window.tellOffence(`CSP ${e.violatedDirective} ${e.blockedURI}`),
		);
	});
	context.on("weberror", (e) => offences.push("error " + e.error().message));
	context.on("console", (m) => {
		/* Chromium logs each refused request by itself; refusals are tested. */
		if (m.type() === "error" && !/Failed to load resource|net::ERR_/.test(m.text()))
			offences.push("console " + m.text());
	});
	return { context, offences };
}

/* Serious and critical findings of axe-core; run from outside, so that the
 * page's policy stays as strict as it is. */
export async function axe_findings(page) {
	const cdp = await page.context().newCDPSession(page);
	await cdp.send("Runtime.evaluate", { expression: axe });
	const run = "axe.run(document).then(r => JSON.stringify(r.violations))";
	const { result } = await cdp.send("Runtime.evaluate", {
		expression: run,
		awaitPromise: true,
		returnByValue: true,
	});
	await cdp.detach();
	return JSON.parse(result.value)
		.filter((v) => ["serious", "critical"].includes(v.impact))
		.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 120)}`);
}

/* How far the page or an open dialog scrolls sideways. */
export function overflow_px(page) {
	return page.evaluate(() =>
		Math.max(
			document.documentElement.scrollWidth - window.innerWidth,
			...[...document.querySelectorAll("dialog[open]")].map((d) => d.scrollWidth - d.clientWidth),
		),
	);
}
