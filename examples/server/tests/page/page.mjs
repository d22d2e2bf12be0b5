// The page of a running server in headless Chromium, with a microphone that is fed from a speech file.
//
//     npm install --prefix ../sdk && node page.mjs http://127.0.0.1:8080 speech.wav [FOLDER FOR SCREENSHOTS]
//
// Says so and ends well where there is no Chromium (CHROMIUM, or /usr/bin/chromium) or no playwright-core (in ../sdk, or
// in the folder that LINNET_SDK_NODE names).

import assert from "node:assert";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [address = "http://127.0.0.1:8080", speech, shots] = process.argv.slice(2);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const modules = process.env.LINNET_SDK_NODE ?? new URL("../sdk", import.meta.url).pathname;
const skip = (why) => {
  console.log(`skipped: ${why}`);
  process.exit(0);
};
if (!existsSync(executablePath)) skip(`no Chromium at ${executablePath}`);
let chromium;
try {
  ({ chromium } = createRequire(`${modules}/package.json`)("playwright-core"));
} catch {
  skip(`no playwright-core in ${modules}`);
}

const profile = mkdtempSync(join(tmpdir(), "linnet-page-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  viewport: { width: 900, height: 760 },
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${resolve(speech)}`,
  ],
});
try {
  const page = await browser.newPage();
  const errors = [];
  const elsewhere = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.host !== new URL(address).host) elsewhere.push(url.href);
  });
  const shot = (name) => (shots ? page.screenshot({ path: join(shots, `${name}.png`) }) : undefined);
  const text = (selector) => page.locator(selector).innerText();

  await page.goto(address);
  await shot("idle");

  // Captions of what the microphone hears.
  await page.click("#listen");
  await page.waitForFunction(() => document.querySelector("#interim").textContent.trim(), null, { timeout: 30_000 });
  await page.waitForFunction(() => document.querySelector("#finals").textContent.trim(), null, { timeout: 30_000 });
  await page.waitForTimeout(6000);
  await shot("listening");
  assert.match(await text("#latency-ms"), /\d+ ms/);
  const drawn = (id) =>
    page.evaluate((id) => {
      const canvas = document.getElementById(id);
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value) => value !== 0);
    }, id);
  assert(await drawn("level"), "the level is drawn");
  assert(await drawn("latency"), "the latency is drawn");
  await page.click("#listen");
  await page.waitForFunction(() => document.querySelector("#listen").getAttribute("aria-pressed") === "false");
  const heard = await text("#finals");
  assert(heard.length > 3, heard);

  // The transcript of a file.
  await page.click("#clear");
  assert.equal((await text("#finals")).trim(), "");
  await page.setInputFiles("#file", resolve(speech));
  await page.waitForFunction(() => document.querySelector("#finals").textContent.trim(), null, { timeout: 30_000 });
  const transcript = await text("#finals");
  await shot("file");

  // What is no audio is told, and does no harm.
  await page.setInputFiles("#file", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no audio") });
  await page.waitForFunction(() => document.querySelector("#state").textContent.includes("not an audio file"));
  await page.emulateMedia({ colorScheme: "dark" });
  await shot("dark");
  await page.setViewportSize({ width: 380, height: 760 });
  await shot("narrow");

  // The refusal of that file is the only error.
  const unexpected = errors.filter((error) => !error.includes("400"));
  assert.deepEqual(unexpected, []);
  assert.deepEqual(elsewhere, [], "nothing is loaded from elsewhere");
  console.log(JSON.stringify({ heard, transcript }));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
