/* SPDX-License-Identifier: Apache-2.0 */
/* What the bundler turns tags into: smaller than preact's jsx-runtime. */
export { Fragment, h } from "preact";
