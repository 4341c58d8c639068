/* SPDX-License-Identifier: Apache-2.0 */
/* The page /vpn/mesh, from the first request to the live list. */
import { render } from "preact";
import { AddDevice } from "./adddevice";
import { spoken } from "./announce";
import { Banners, Migrate, migrating } from "./banners";
import { Changes } from "./changes";
import { Devices } from "./devices";
import { start_live } from "./live";
import { Masthead, apply_theme } from "./masthead";
import { open_page, phase } from "./model";
import { SigninAgain, SigninPage } from "./signin";
import { Explanation } from "./why";
import { language, t } from "./words";

function Page() {
	if (phase.value === "signin") return <SigninPage />;
	return (
		<>
			<Masthead />
			<main>
				<Banners />
				<Devices />
			</main>
			<footer>
				<button type="button" class="link" onClick={() => (migrating.value = true)}>
					{t("migrate.link")}
				</button>
				<p class="muted">
					{/* No "download": a phone offers to install it then. */}
					<a href="/api/mesh/ca?format=pem">{t("ca.link")}</a>
					{": "}
					{t("ca.what")}
				</p>
			</footer>
			<AddDevice />
			<Changes />
			<Explanation />
			<Migrate />
			<SigninAgain />
		</>
	);
}

function Root() {
	return (
		<>
			<Page />
			<div class="for-readers" aria-live="polite" role="status">
				{spoken.value}
			</div>
		</>
	);
}

document.documentElement.lang = language;
document.title = t("page.title") + " · Quazzar";
apply_theme();
render(<Root />, document.getElementById("root")!);
void open_page().then(start_live);
