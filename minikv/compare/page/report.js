// Draws the charts of the scenarios that are shown, again when the theme or the choice changes.
const data = JSON.parse(document.getElementById("data").textContent)
const dark = window.matchMedia("(prefers-color-scheme: dark)")

async function draw(scenario) {
  const theme = dark.matches ? "dark" : "light"
  const colours = data.colours[theme]
  const text = JSON.stringify(data.specs[scenario])
  const specs = JSON.parse(text.replace(/"\$(\w+)"(?!:)/g, (_, name) => JSON.stringify(colours[name])))
  const places = document.querySelectorAll(`[data-chart="${scenario}"]`)
  await Promise.all(
    specs.map((spec, number) =>
      vegaEmbed(places[number], spec, {
        actions: false,
        config: data.config[theme],
        renderer: "svg",
        tooltip: { theme },
      }),
    ),
  )
}

function shown() {
  return [...document.querySelectorAll("input[data-scenario]:checked")].map((input) => input.dataset.scenario)
}

async function drawAll() {
  for (const scenario of shown()) await draw(scenario)
  document.documentElement.dataset.drawn = "yes"
}

for (const input of document.querySelectorAll("input[data-scenario]"))
  input.addEventListener("change", () => draw(input.dataset.scenario))
dark.addEventListener("change", drawAll)
drawAll()
