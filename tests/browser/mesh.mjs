/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person does on /vpn/mesh, from signing in to removing a device, with a
 * real phone at the other end. Started by test_mesh.sh. Ceilings are generous:
 * the machine may be slow, the aim (green 2 s after the handshake) is printed.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { axe_findings, check, equal, finish, group, launch, overflow_px, person } from "./browser.mjs";

const { PAGE, TMP, MESH_USER, MESH_PASSWORD, MESH_PHONE, MESH_ADMIN } = process.env;
const GREEN_MS = 20_000;
const NODE_IP = "10.71.0.1";
let cpd = Number(process.env.MESH_CPD);
let noded = Number(process.env.MESH_NODED);

const on_phone = (...command) =>
	spawnSync("nsenter", ["-t", MESH_PHONE, "-n", "-m", "-r", "-w", ...command], {
		encoding: "utf8",
		env: { ...process.env, WG_QUICK_USERSPACE_IMPLEMENTATION: "wireguard-go" },
	});

function pings(times, wait_s) {
	return on_phone("ping", "-c", String(times), "-W", String(wait_s), "-i", "0.3", "-q", NODE_IP).status === 0;
}

function tunnel_up(conf) {
	const r = on_phone("wg-quick", "up", conf);
	return check("wg-quick takes the file", r.status === 0, r.stderr);
}

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

async function until(what, limit_ms, look) {
	for (const end = Date.now() + limit_ms; Date.now() < end; await sleep(200)) if (await look()) return true;
	return check(what, false, `not within ${limit_ms / 1000} s`);
}

const browser = await launch();
const { context, offences } = await person(browser, { acceptDownloads: true });
await context.grantPermissions(["clipboard-read", "clipboard-write"]);
const page = await context.newPage();
let whys = 0;
context.on("request", (r) => (whys += r.url().endsWith("/why")));
const dialog = page.locator("dialog[open]").last();
const row = (label) => page.locator("tr[data-device]", { has: page.getByText(label, { exact: true }) });
const button = (name) => page.getByRole("button", { name, exact: true });

async function sign_in(password) {
	await page.fill("#signin-user", MESH_USER);
	await page.fill("#signin-password", password);
	await page.keyboard.press("Enter");
}

/* Opens the dialog, types a label, generates. */
async function add(label, type = "iPhone") {
	await button("Add device").click();
	await page.getByRole("radio", { name: type }).check({ force: true });
	await page.fill("#add-label", label);
	await button("Generate").click();
}

async function config_text() {
	const details = dialog.locator("details.config");
	if ((await details.getAttribute("open")) === null) await details.locator("summary").click();
	return dialog.locator("pre").textContent();
}

async function leave() {
	await dialog.getByRole("button", { name: "Done" }).click();
	await button("Close anyway").click();
	await page.waitForFunction(() => !document.querySelector("dialog[open]"));
}

/* The picture as a phone sees it, read by a second decoder. */
async function decode_code(name) {
	const file = join(process.env.MESH_SHOTS ?? TMP, name + ".png");
	await dialog.locator("svg.qr").screenshot({ path: file });
	return execFileSync("zbarimg", ["-q", "--raw", "-Sdisable", "-Sqrcode.enable", file], {
		encoding: "utf8",
		stdio: ["ignore", "pipe", "ignore"],
	});
}

async function download_conf() {
	const [file] = await Promise.all([
		page.waitForEvent("download"),
		dialog.getByRole("button", { name: "Download .conf" }).click(),
	]);
	const name = file.suggestedFilename();
	const path = join(TMP, name);
	await file.saveAs(path);
	return { name, path, text: readFileSync(path, "utf8") };
}

const same = (a, b) => a.trimEnd() === b.trimEnd();

async function loading() {
	const seen = [];
	page.on("response", (r) => seen.push(r));
	const first = await page.goto(PAGE);
	await page.waitForSelector("#signin-user");
	const files = seen.filter((r) => !new URL(r.url()).pathname.startsWith("/api/"));
	check("the page is at most 4 requests", files.length <= 4, files.map((r) => r.url()).join(" "));
	const size = async (part) => {
		const hit = files.find((r) => r.url().endsWith(part));
		return (await hit.request().sizes()).responseBodySize;
	};
	check("script within 25 kB", (await size(".js")) <= 25 * 1024, String(await size(".js")));
	check("style within 6 kB", (await size(".css")) <= 6 * 1024, String(await size(".css")));
	const policy = first.headers()["content-security-policy"] ?? "";
	check("the policy is strict", /default-src 'none'/.test(policy) && !/unsafe/.test(policy), policy);
	check("trusted types are required", /require-trusted-types-for 'script'/.test(policy), policy);
	page.removeAllListeners("response");
}

async function signing_in() {
	await sign_in("not the password");
	await page.waitForSelector(".failure[data-reason=LOGIN_FAILED]");
	equal("a wrong password is told", await page.locator(".failure strong").textContent(), "Name or password is wrong");
	const stream = page.waitForResponse((r) => r.url().endsWith("/api/mesh/events"));
	await sign_in(MESH_PASSWORD);
	await page.waitForSelector("text=No devices yet");
	check("the page holds the event stream", /^text\/event-stream/.test((await stream).headers()["content-type"]));
	check("empty list invites to add", await button("Add device").isVisible());
	equal("meter", await page.locator(".meter-text").textContent(), "0 of 20 devices");
	check("plan and tenant are shown", /home.*Pro plan/.test(await page.locator(".facts").textContent()));
}

async function banner() {
	const words = "Mesh VPN is the recommended replacement. Migrate when you’re ready →";
	await button(words).click();
	await dialog.waitFor();
	check("the banner opens the steps", (await dialog.locator("ol.steps li").count()) >= 5);
	await page.keyboard.press("Escape");
	await button("Hide this recommendation").click();
	await page.reload();
	await button("Add device").waitFor();
	equal("hidden stays hidden", await button(words).count(), 0);
}

/* The page follows its window a frame later, or many on a busy machine. */
async function comes_true(test) {
	for (let i = 0; i < 50; i++) {
		if (await test()) return true;
		await page.waitForTimeout(200);
	}
	return false;
}

/* Keyboard alone, from the button to the code. */
async function by_keyboard() {
	await page.locator("#devices-title").focus();
	for (let i = 0; i < 6; i++) {
		if (await button("Add device").evaluate((b) => b === document.activeElement)) break;
		await page.keyboard.press("Tab");
	}
	await page.keyboard.press("Enter");
	await page.waitForSelector("#add-label");
	check("the label has the focus", await page.locator("#add-label").evaluate((i) => i === document.activeElement));
	equal("four device types", (await page.locator(".type span").allTextContents()).join(" "), "iPhone Android Laptop Other");
	await page.keyboard.type("Renée’s phone");
	check("the name is previewed", (await dialog.textContent()).includes("renee-s-phone.quazzar.mesh"));
	await page.keyboard.press("Enter");
	await page.waitForSelector(".secret");
	check("the new step has the focus", await page.evaluate(() => document.querySelector("dialog").contains(document.activeElement)));
}

async function the_secret() {
	const text = await config_text();
	check("the code is the config", same(await decode_code("code"), text));
	await page.setViewportSize({ width: 360, height: 740 });
	check("the code fits a narrow screen", await comes_true(async () => (await overflow_px(page)) <= 0));
	await page.setViewportSize({ width: 1280, height: 900 });
	const file = await download_conf();
	check("the file is the config", same(file.text, text));
	check("the file name fits every app", /^[a-zA-Z0-9_=+.-]{1,15}\.conf$/.test(file.name), file.name);
	check("no label in the config", !/Ren/.test(text));
	await dialog.getByRole("button", { name: "Copy tunnel name" }).click();
	equal("the tunnel name is copied", (await page.evaluate(() => navigator.clipboard.readText())) + ".conf", file.name);
	check("it says that it is shown once", (await dialog.textContent()).includes("Shown once"));
	equal("waiting", await dialog.locator(".pill.big").textContent(), "Waiting for first connection…");
	await page.keyboard.press("Escape");
	await button("Keep it open").waitFor();
	await page.keyboard.press("Enter");
	await page.evaluate(() => history.back());
	await button("Keep it open").waitFor();
	await page.keyboard.press("Enter");
	check("Esc and Back ask first, and the code stays", await dialog.locator("svg.qr").isVisible());
	return file.path;
}

async function first_handshake(conf) {
	if (!tunnel_up(conf)) return;
	const start = Date.now();
	await page.waitForSelector('.pill.big[data-look="connected"]', { timeout: GREEN_MS });
	console.log(`        green ${((Date.now() - start) / 1000).toFixed(1)} s after the tunnel was on`);
	check("the phone reaches its node", pings(10, 2));
	equal("green in place", await dialog.locator(".pill.big").textContent(), "Renée’s phone is connected");
	await until("it is read out", 5000, async () => (await dialog.locator("[role=status]").last().textContent()).includes("connected"));
	await button("Done").click();
	await page.waitForFunction(() => !document.querySelector("dialog[open]"));
	check("a used secret closes without asking", true);
	check("the name is as previewed", (await row("Renée’s phone").textContent()).includes("renee-s-phone.quazzar.mesh"));
	equal("the list is green", await row("Renée’s phone").locator(".pill").textContent(), "Connected");
}

async function refusals() {
	await add("Renée’s phone");
	await page.waitForSelector("#add-label-error[data-reason=LABEL_TAKEN]");
	const error = page.locator("#add-label-error");
	check("a taken name is told", (await error.textContent()).startsWith("“Renée’s phone” is already used"));
	check("the field has the focus", await page.locator("#add-label").evaluate((i) => i === document.activeElement));
	const suggestion = await error.locator("button").textContent();
	await error.locator("button").click();
	equal("one click takes the suggestion", await page.inputValue("#add-label"), suggestion);
	for (const bad of ["wpad", "WPAD"]) {
		await page.fill("#add-label", bad);
		await button("Generate").click();
		await page.waitForSelector("#add-label-error[data-reason=LABEL_RESERVED]");
	}
	for (const bad of ["", "💛", "a".repeat(65), "a\u202Eb"]) {
		await page.fill("#add-label", bad);
		await button("Generate").click();
		await page.waitForSelector("#add-label-error[data-reason=LABEL_INVALID]");
	}
	check("bad labels are refused in words", true);
	const nasty = "<script>alert(1)</script>\"'&";
	await page.fill("#add-label", nasty);
	await button("Generate").click();
	await page.waitForSelector(".secret");
	await leave();
	equal("a legal label is kept as typed", await row(nasty).locator(".label").textContent(), nasty);
}

/* Every refusal has words of its own; the answers here are written by hand. */
const titles = {
	NOT_OWNER: [403, "This device belongs to someone else"],
	ROLE_REQUIRED: [403, "You can view but not change devices"],
	SSO_REQUIRED: [403, "Single sign-on is required"],
	PLAN_LACKS_FEATURE: [403, "Not part of the Pro plan"],
	CROSS_SITE: [403, "Refused: the request came from another site"],
	NOT_FOUND: [404, "This device is gone"],
	KEY_IN_USE: [409, "This public key is already used"],
	ADDRESS_IN_USE: [409, "This address is not free"],
	IDEMPOTENCY_KEY_REUSED: [409, "Someone else changed this device"],
	POOL_EXHAUSTED: [409, "No free address in 10.71.0.0/16"],
	CALL_IN_PROGRESS: [409, "Still working on it"],
	FIELD_INVALID: [400, "Something in the form does not fit"],
	LICENCE_INVALID: [400, "The licence is not valid"],
	INTERNAL: [500, "Something went wrong"],
	CP_UNREACHABLE: [503, "Control panel not reachable"],
	DRAINING: [503, "This node is restarting"],
	OUTCOME_UNKNOWN: [503, "The answer got lost"],
	SOMETHING_NEW: [400, "Something went wrong"],
};

async function every_refusal() {
	await button("Add device").click();
	await page.fill("#add-label", "Refused");
	for (const [reason, [status, title]] of Object.entries(titles)) {
		const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "mesh.quazzar" };
		const body = { code: 9, message: "as the server says", details: [{ ...info, metadata: {} }] };
		await page.route("**/api/mesh/devices", (r) =>
			r.request().method() === "POST"
				? r.fulfill({ status, json: body, headers: { "x-request-id": "c0de" } })
				: r.fallback(),
		);
		await button("Generate").click();
		const box = page.locator(`.failure[data-reason=${reason}]`);
		await box.waitFor();
		equal("words for " + reason, await box.locator("strong").textContent(), title);
		const text = await box.textContent();
		check("nothing left unfilled", !/[{}]|undefined/.test(text), text);
		await page.unroute("**/api/mesh/devices");
	}
	await page.route("**/api/mesh/devices", (r) => (r.request().method() === "POST" ? r.abort() : r.fallback()));
	await button("Generate").click();
	await page.locator(".failure[data-reason=NETWORK]").waitFor();
	await page.unroute("**/api/mesh/devices");
	await button("Cancel").click();
}

/* Without the event stream the page polls; an auditor sees all and changes nothing. */
async function auditor_without_stream() {
	execFileSync("sh", ["-c", "printf 'look but do not touch' | " + MESH_ADMIN + " user add bob --tenant home --role auditor --password-file -"]);
	const one = await person(browser);
	const view = await one.context.newPage();
	await view.route("**/api/mesh/events", (r) => r.abort());
	await view.goto(PAGE);
	await view.fill("#signin-user", "bob");
	await view.fill("#signin-password", "look but do not touch");
	await view.keyboard.press("Enter");
	await view.waitForSelector("[data-banner=viewer]");
	equal("an auditor cannot add", await view.getByRole("button", { name: "Add device" }).count(), 0);
	await view.selectOption(".scope select", "all");
	const there = view.locator("tr[data-device]", { hasText: "Router" });
	await there.waitFor();
	equal("nor change", await there.locator("button", { hasText: "Remove" }).count(), 0);
	await button("Remove Router").click();
	await button("Remove device").click();
	await there.waitFor({ state: "detached", timeout: 20_000 });
	check("polling sees the change", true);
	offences.push(...one.offences);
	await one.context.close();
}

async function own_key() {
	const key = execFileSync("sh", ["-c", "wg genkey | wg pubkey"], { encoding: "utf8" }).trim();
	await button("Add device").click();
	await page.fill("#add-label", "Own key");
	await dialog.locator("summary", { hasText: "Advanced" }).click();
	await page.fill("#add-key", key);
	await button("Generate").click();
	await page.waitForSelector(".secret");
	equal("own key: no code", await dialog.locator("svg.qr").count(), 0);
	check("own key: no private key", !/PrivateKey/.test(await config_text()));
	await leave();
}

/* Asked once, by a person; by keyboard, and the focus comes back. */
async function why() {
	equal("nobody is asked why by itself", whys, 0);
	equal("a connected device has no Why?", await row("Renée’s phone").locator("button.why").count(), 0);
	const ask = row("Own key").getByRole("button", { name: "Why? Own key is not connected" });
	await ask.focus();
	await page.keyboard.press("Enter");
	const told = dialog.locator(".told[data-reason=NEVER_A_PACKET]");
	await told.waitFor();
	equal("the dialog's name", await dialog.locator("h2").textContent(), "Why is Own key not connected?");
	const text = await told.textContent();
	check("it says what was seen", text.includes("node-1 has the device's key in place"), text);
	check("and what to do", text.includes("Import the config into the WireGuard app"), text);
	check("the focus is in it", await page.evaluate(() => document.querySelector("dialog").contains(document.activeElement)));
	await until("it is read out", 10_000, async () => (await dialog.locator("[role=status]").last().textContent()).includes("key in place"));
	const found = await axe_findings(page);
	check("axe: why", found.length === 0, found.join("; "));
	await page.keyboard.press("Escape");
	await page.waitForFunction(() => !document.querySelector("dialog[open]"));
	check("the focus comes back", await ask.evaluate((b) => b === document.activeElement));
	equal("one look is one call", whys, 1);
	await page.route("**/why", (r) => r.abort());
	await page.keyboard.press("Enter");
	await page.locator(".failure[data-reason=NETWORK]").waitFor();
	await page.unroute("**/why");
	await dialog.locator("button.primary").click();
}

/* What the page links to is the file that systems install. */
async function certificate() {
	const [file] = await Promise.all([
		page.waitForEvent("download"),
		page.getByRole("link", { name: "CA certificate of your mesh" }).click(),
	]);
	equal("the certificate's file", file.suggestedFilename(), "quazzar-mesh.crt");
	const path = join(TMP, "quazzar-mesh.crt");
	await file.saveAs(path);
	const subject = execFileSync("openssl", ["x509", "-in", path, "-noout", "-subject"], { encoding: "utf8" });
	check("it is the tenant's CA", subject.includes("CN = home"), subject);
	check("the page stays", await row("Own key").isVisible());
}

/* What the server leaves out, the page explains; answers written by hand. */
async function odd_answers() {
	const [device] = await page.evaluate(() => fetch("/api/mesh/devices").then((r) => r.json()));
	const answer = async (config, qr_svg) => {
		await page.route("**/api/mesh/devices", (r) =>
			r.request().method() === "POST" ? r.fulfill({ status: 201, json: { config, qr_svg, device } }) : r.fallback(),
		);
		await button("Add device").click();
		await page.fill("#add-label", "Odd");
		await button("Generate").click();
	};
	for (const svg of ["", '<svg viewBox="0 0 81 81"><script>alert(1)</script></svg>']) {
		await answer("[Interface]\nPrivateKey = x\n", svg);
		await page.waitForSelector("text=This setup is too long for a code");
		check("a code that cannot be drawn is not drawn", (await dialog.locator("svg.qr, script").count()) === 0);
		await dialog.getByRole("button", { name: "Done" }).click();
		const anyway = button("Close anyway");
		await anyway.or(page.locator("body:not(:has(dialog[open]))")).first().waitFor();
		if (await anyway.isVisible()) await anyway.click();
		await page.unroute("**/api/mesh/devices");
	}
	await answer("", "");
	await page.waitForFunction(() => !document.querySelector("dialog[open]"));
	check("a repeated wish that came true just closes", true);
	await page.unroute("**/api/mesh/devices");
}

async function rename() {
	await button("Rename Own key").click();
	await page.fill("#rename-label", "Router");
	await page.keyboard.press("Enter");
	await row("Router").waitFor();
	check("renamed, name and all", (await row("Router").textContent()).includes("router.quazzar.mesh"));
}

async function rotate(conf) {
	await button("Rotate key of Renée’s phone").click();
	await dialog.getByRole("button", { name: "Rotate key", exact: true }).click();
	await page.waitForSelector(".secret");
	check("the old key still works", pings(3, 2));
	const old = readFileSync(conf, "utf8");
	const file = await download_conf();
	check("it is another key, same place", file.text !== old && file.path === conf);
	on_phone("wg-quick", "down", conf);
	tunnel_up(conf);
	check("the new key works", pings(10, 2));
	await page.waitForSelector('.pill.big[data-look="connected"]', { timeout: GREEN_MS });
	await button("Done").click();
}

/* The window is 5 in 60 s; some were used above. */
async function too_fast() {
	for (let n = 0; n < 6; n++) {
		await add("Fast " + n, "Android");
		await page.waitForSelector(".secret, .failure[data-reason=RATE_LIMITED]");
		if (await page.locator(".failure").count()) break;
		await leave();
	}
	check("the sixth in a minute is refused", (await page.locator(".failure[data-reason=RATE_LIMITED]").count()) === 1);
	check("with a countdown", /^Try again in \d+ s$/.test(await dialog.locator("button[type=submit]").textContent()));
	check("and the form is kept", (await page.inputValue("#add-label")).startsWith("Fast "));
	await button("Cancel").click();
}

/* Fills the plan's places, waiting out the window of the step before. */
async function fill_places() {
	const answer = ".secret, .failure";
	for (let n = 0; n < 6; n++) {
		await button("Add device").click();
		await page.fill("#add-label", "Place " + n);
		do {
			/* The button counts down while the window is full. */
			await button("Generate").click({ timeout: 70_000 });
			await page.waitForSelector(answer);
		} while (await page.locator(".failure[data-reason=RATE_LIMITED]").count());
		if (await page.locator(".failure").count()) return;
		await leave();
	}
}

async function full_plan() {
	execFileSync("sh", ["-c", MESH_ADMIN + " tenant set-plan home free"]);
	await page.waitForFunction(() => document.querySelector(".badge").textContent === "Free plan", null, { timeout: 15_000 });
	await fill_places();
	await page.waitForSelector(".failure[data-reason=DEVICE_CAP_REACHED]");
	equal("a full plan is told", await page.locator(".failure strong").textContent(), "Your Free plan is full");
	check("and what to do", (await page.locator(".failure p").textContent()).includes("move to Pro (20 devices)"));
	await button("Manage devices").click();
	equal("the meter is full", await page.locator(".meter.full .meter-text").textContent(), "3 of 3 devices");
	execFileSync("sh", ["-c", MESH_ADMIN + " tenant set-plan home pro"]);
}

/* A second tab shares the stream; both see the removal. */
async function remove() {
	const other = await context.newPage();
	await other.goto(PAGE);
	const there = other.locator("tr[data-device]", { hasText: "Renée’s phone" });
	await there.waitFor();
	await button("Remove Renée’s phone").click();
	check("removing asks first", (await dialog.textContent()).includes("It loses access at once"));
	await button("Remove device").click();
	await row("Renée’s phone").waitFor({ state: "detached" });
	await there.waitFor({ state: "detached", timeout: 15_000 });
	check("gone in both tabs", true);
	await page.waitForSelector("[data-banner=notice]");
	await until("revoked everywhere", 15_000, async () => (await page.locator("[data-banner=notice]").textContent()).includes("Revoked on 1 of 1 node"));
	check("the phone is out", !pings(3, 1));
	await other.close();
}

/* The node is started anew with so much left of its lease. */
async function restart_node(left_s) {
	const gone = () => {
		try {
			process.kill(noded, 0);
			return false;
		} catch {
			return true;
		}
	};
	process.kill(noded, "SIGTERM");
	await until("the node ends", 60_000, gone);
	writeFileSync(join(TMP, "node/lease"), `qmesh-lease/1 ${left_s * 1000} ${Date.now()} 0\n`);
	const back = spawn(join(TMP, "start-noded"), { stdio: "ignore" });
	noded = back.pid;
	back.unref();
}

/* The Control Panel is away: what is left of the lease, and its end. */
async function lease() {
	check("a long lease is not told", (await page.locator("[data-banner^=lease]").count()) === 0);
	await restart_node(6 * 3600);
	await page.waitForSelector("[data-banner=lease]", { timeout: 60_000 });
	const told = await page.locator("[data-banner=lease] strong").textContent();
	check("the lease counts down", /^Devices are served for [65] hours more$/.test(told), told);
	check("axe: lease", (await axe_findings(page)).length === 0);
	await restart_node(0);
	await page.waitForSelector("[data-banner=lease-over]", { timeout: 60_000 });
	check("the list stays past the lease", (await page.locator("tr[data-device]").count()) > 0);
	check("axe: lease over", (await axe_findings(page)).length === 0);
}

async function control_panel_away() {
	process.kill(cpd, "SIGKILL");
	await page.waitForSelector("[data-banner=cp]", { timeout: 30_000 });
	check("the list stays", (await page.locator("tr[data-device]").count()) > 0);
	await add("While away");
	await page.waitForSelector(".failure[data-reason=CP_UNREACHABLE]", { timeout: 40_000 });
	equal("the form is kept", await page.inputValue("#add-label"), "While away");
	await button("Cancel").click();
	await lease();
	const back = spawn(join(TMP, "start-cpd"), { stdio: "ignore" });
	cpd = back.pid;
	back.unref();
	await page.locator("[data-banner=cp]").waitFor({ state: "detached", timeout: 60_000 });
	await page.locator("[data-banner^=lease]").waitFor({ state: "detached", timeout: 60_000 });
	check("the banner goes by itself", true);
}

async function session_over() {
	await button("Add device").click();
	await page.fill("#add-label", "Typed before");
	await context.clearCookies();
	await button("Generate").click();
	await page.waitForSelector("#signin-password");
	check("the session's end is told", (await dialog.textContent()).includes("Signed out"));
	await page.fill("#signin-password", MESH_PASSWORD);
	await page.keyboard.press("Enter");
	await page.locator("#signin-password").waitFor({ state: "detached" });
	equal("the form is kept over it", await page.inputValue("#add-label"), "Typed before");
	await button("Cancel").click();
}

/* The same page over TLS and HTTP/2, at the node and at the Control Panel itself. */
async function over_tls() {
	for (const [where, url] of [
		["node", "https://localhost:7444/vpn/mesh"],
		["Control Panel", "https://localhost:7443/vpn/mesh"],
	]) {
		const one = await person(browser, { ignoreHTTPSErrors: true });
		const view = await one.context.newPage();
		const stream = view.waitForResponse((r) => r.url().endsWith("/api/mesh/events"));
		await view.goto(url);
		await view.fill("#signin-user", MESH_USER);
		await view.fill("#signin-password", MESH_PASSWORD);
		await view.keyboard.press("Enter");
		await view.waitForSelector("tr[data-device]");
		equal(`the stream at the ${where}`, (await stream).status(), 200);
		const [cookie] = await one.context.cookies();
		check(`the cookie at the ${where}`, /^__Host-qmesh-\d+$/.test(cookie.name) && cookie.secure && cookie.httpOnly && cookie.sameSite === "Strict", JSON.stringify({ ...cookie, value: "" }));
		check(`no script sees it at the ${where}`, (await view.evaluate(() => document.cookie)) === "");
		const label = "Over TLS at the " + where;
		await view.getByRole("button", { name: "Add device", exact: true }).click();
		await view.fill("#add-label", label);
		await view.getByRole("button", { name: "Generate", exact: true }).click();
		await view.waitForSelector("svg.qr, .failure[data-reason=RATE_LIMITED]");
		check(`adding answers at the ${where}`, true);
		offences.push(...one.offences.map((o) => where + ": " + o));
		await one.context.close();
	}
}

/* Every view at three widths in both themes. */
async function looks() {
	const state = await context.storageState();
	for (const width of [360, 768, 1280])
		for (const colorScheme of ["light", "dark"]) {
			const name = `${width} px ${colorScheme}`;
			const one = await person(browser, { viewport: { width, height: 800 }, colorScheme, storageState: state });
			const view = await one.context.newPage();
			const judge = async (what) => {
				const found = await axe_findings(view);
				check(`axe: ${what}, ${name}`, found.length === 0, found.join("; "));
				check(`no sideways scroll: ${what}, ${name}`, (await overflow_px(view)) <= 0);
			};
			await view.goto(PAGE);
			await view.waitForSelector("tr[data-device]");
			await judge("list");
			await view.locator("button.why").first().click();
			await view.locator(".told").waitFor();
			await judge("why");
			await view.keyboard.press("Escape");
			await view.getByRole("button", { name: "Add device", exact: true }).click();
			await view.fill("#add-label", "Some phone");
			await judge("add");
			await view.keyboard.press("Escape");
			await view.locator(".row-actions .bad").first().click();
			await judge("remove");
			offences.push(...one.offences);
			await one.context.close();
		}
}

async function signing_out() {
	await button("Sign out").click();
	await page.waitForSelector("#signin-user");
	const found = await axe_findings(page);
	check("axe: sign in", found.length === 0, found.join("; "));
	check("signed out", (await page.request.get(new URL("/api/mesh/devices", PAGE).href)).status() === 401);
}

let conf = "";
await group("loading", page, loading);
await group("signing in", page, signing_in);
await group("banner", page, banner);
await group("keyboard", page, by_keyboard);
await group("secret", page, async () => {
	conf = await the_secret();
});
await group("axe on the secret", page, async () => {
	const found = await axe_findings(page);
	check("axe: secret", found.length === 0, found.join("; "));
});
await group("first handshake", page, () => first_handshake(conf));
await group("refusals", page, refusals);
await group("every refusal", page, every_refusal);
await group("own key", page, own_key);
await group("why", page, why);
await group("certificate", page, certificate);
await group("odd answers", page, odd_answers);
await group("rename", page, rename);
await group("rotate", page, () => rotate(conf));
await group("auditor without stream", page, auditor_without_stream);
await group("remove", page, remove);
await group("control panel away", page, control_panel_away);
await group("session over", page, session_over);
await group("too fast", page, too_fast);
await group("full plan", page, full_plan);
await group("over TLS", page, over_tls);
await group("looks", page, looks);
await group("signing out", page, signing_out);
check("nothing the page must not do", offences.length === 0, offences.slice(0, 5).join("; "));
await browser.close();
process.exit(finish());
