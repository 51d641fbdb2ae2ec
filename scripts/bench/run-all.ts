import type { Bench } from './bench.js'
import { emptyResult, type ScenarioResult } from './result.js'
import type { Scenario } from './scenarios/scenario.js'

/**
 * Runs scenarios one after the other, each with fresh processes. One that fails is a result too,
 * and the others go on. `done` is called after each.
 */
export async function runScenarios(
  bench: Bench,
  scenarios: readonly Scenario[],
  done: (result: ScenarioResult, seconds: number) => void,
): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = []
  for (const scenario of scenarios) {
    const startedMs = Date.now()
    bench.progress.doing(`${scenario.name}: starting`)
    const result = await runOne(bench, scenario)
    results.push(result)
    done(result, (Date.now() - startedMs) / 1000)
  }
  return results
}

async function runOne(bench: Bench, scenario: Scenario): Promise<ScenarioResult> {
  try {
    return await scenario.run(bench)
  } catch (thrown) {
    const failure = thrown instanceof Error ? thrown.message : String(thrown)
    return { ...emptyResult(scenario.name, scenario.title), failure }
  } finally {
    // What a failed scenario left running would disturb the next.
    await bench.place.household.endAll()
  }
}
