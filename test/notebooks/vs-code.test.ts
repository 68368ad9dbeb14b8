import { testWay } from '../support/ways/run-by.ts'
import { vscode } from '../support/ways/ways.ts'

testWay(vscode)
