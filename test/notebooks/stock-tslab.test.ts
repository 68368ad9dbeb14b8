import { testWay } from '../support/ways/run-by.ts'
import { stockTslab } from '../support/ways/ways.ts'

testWay(stockTslab)
