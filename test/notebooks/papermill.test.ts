import { testWay } from '../support/ways/run-by.ts'
import { papermill } from '../support/ways/ways.ts'

testWay(papermill)
