import fc from 'fast-check'
import { encodeNumber, type FieldValue } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import {
  columnOf,
  declareFields,
  fitFields,
  kindIn,
  listColumns,
  readFields,
  settleFields,
  type ColumnChange,
  type Fields,
} from '../../../../server/src/telemetry/domain/layout.ts'

const bound = (maxColumns: number) => ({ maxColumns, maxNew: Infinity })

/** A table as DuckDB keeps it: it takes the changes, and each row by column. */
class Table {
  readonly fields: Fields = new Map()
  readonly columns = new Map<string, string>()

  /** Fit samples that are committed together. */
  take(samples: readonly Readonly<Record<string, FieldValue>>[]): Record<string, FieldValue>[] {
    const fitted = samples.map((sample) => {
      const fit = fitFields(sample, this.fields, bound(99))
      for (const change of fit.changes) this.change(change)
      return fit
    })
    for (const change of settleFields(this.fields)) this.change(change)
    return fitted.map(({ values }) =>
      Object.fromEntries(
        [...values].map(([name, value]) => {
          const field = this.fields.get(name)
          if (field === undefined) throw new Error(`no field ${name}`)
          const column = columnOf(name, field, kindIn(field, value))
          if (!this.columns.has(column)) throw new Error(`no column ${column}`)
          return [column, value]
        }),
      ),
    )
  }

  change(change: ColumnChange): void {
    const type = this.columns.get(change.column)
    if ((type === undefined) !== (change.do === 'add')) throw new Error(`bad ${change.do}`)
    if (change.do === 'add') this.columns.set(change.column, change.type)
    else if (change.do === 'widen') this.columns.set(change.column, 'HUGEINT')
    else {
      if (this.columns.has(change.to)) throw new Error(`${change.to} is there`)
      this.columns.delete(change.column)
      this.columns.set(change.to, type ?? '')
    }
  }
}

const big = { number: '18446744073709551615' }

describe('a field’s column', () => {
  it('has the type of the field’s values', () => {
    const table = new Table()
    table.take([{ rtt_s: 0.5, peer: 'n3', ok: true, id: big }])
    expect([...table.columns]).toEqual([
      ['rtt_s', 'DOUBLE'],
      ['peer', 'VARCHAR'],
      ['ok', 'BOOLEAN'],
      ['id', 'HUGEINT'],
    ])
  })

  it('is not the odd value’s that came first', () => {
    const table = new Table()
    table.take([{ rtt_s: 'timeout' }])
    expect(table.take([{ rtt_s: 0.5 }, { rtt_s: 0.7 }])).toEqual([{ rtt_s: 0.5 }, { rtt_s: 0.7 }])
    expect([...table.columns]).toEqual([
      ['rtt_s_as_text', 'VARCHAR'],
      ['rtt_s', 'DOUBLE'],
    ])
  })

  it('is not the odd value’s that comes later', () => {
    const table = new Table()
    table.take(Array.from({ length: 9 }, () => ({ peer: 'n3' })))
    expect(table.take([{ peer: 3 }])).toEqual([{ peer_as_number: 3 }])
    expect(table.columns.get('peer')).toBe('VARCHAR')
  })

  it('keeps NaN and infinities among the numbers', () => {
    const table = new Table()
    table.take([{ x: { number: 'nan' } }, { x: 1 }, { x: { number: '-inf' } }])
    expect([...table.columns]).toEqual([['x', 'DOUBLE']])
  })

  it('keeps integers exact: numbers that are all whole become integers with the first beyond 2^53', () => {
    const table = new Table()
    table.take([{ rx: 1 }, { rx: 2 }])
    expect(table.take([{ rx: big }, { rx: 7 }])).toEqual([{ rx: big }, { rx: 7 }])
    expect([...table.columns]).toEqual([['rx', 'HUGEINT']])
    expect(table.take([{ rx: 0.5 }])).toEqual([{ rx_as_number: 0.5 }])
  })

  it('does not round integers beside fractions', () => {
    const table = new Table()
    table.take([{ x: 0.5 }, { x: 1 }])
    expect(table.take([{ x: big }])).toEqual([{ x_as_integer: big }])
    expect([...table.columns]).toEqual([
      ['x', 'DOUBLE'],
      ['x_as_integer', 'HUGEINT'],
    ])
  })

  it('is declared before its first value, and stays', () => {
    const table = new Table()
    for (const change of declareFields(table.fields, { load1: 'number', interface: 'text' }))
      table.change(change)
    table.take([{ load1: 'high' }, { load1: 'higher' }, { interface: 5 }])
    expect([...table.columns]).toEqual([
      ['load1', 'DOUBLE'],
      ['interface', 'VARCHAR'],
      ['load1_as_text', 'VARCHAR'],
      ['interface_as_number', 'DOUBLE'],
    ])
  })

  it('gets its declared type in a table that had another', () => {
    const table = new Table()
    table.take([{ load1: 'high' }])
    for (const change of declareFields(table.fields, { load1: 'number' })) table.change(change)
    expect([...table.columns]).toEqual([
      ['load1_as_text', 'VARCHAR'],
      ['load1', 'DOUBLE'],
    ])
  })

  const value = fc.oneof(
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(encodeNumber),
    fc.constantFrom<FieldValue>({ number: 'nan' }, 'word', true),
  )
  const batches = fc.array(fc.array(fc.dictionary(fc.constantFrom('x', 'y'), value)), {
    maxLength: 12,
  })

  it('holds every value, by its kind, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(batches, (all) => {
        const table = new Table()
        for (const samples of all)
          expect(table.take(samples).map((row) => Object.values(row))).toEqual(
            samples.map((sample) => Object.values(sample)),
          )
        const listed = listColumns(table.fields).map(({ column }) => column)
        expect(listed.toSorted()).toEqual([...table.columns.keys()].toSorted())
      }),
    )
  })

  it('is found again in the file', () => {
    fc.assert(
      fc.property(batches, (all) => {
        const table = new Table()
        for (const samples of all) table.take(samples)
        const columns = listColumns(table.fields)
        expect(listColumns(readFields(columns))).toEqual(columns)
      }),
    )
  })
})

describe('what has no column', () => {
  it('is in the overflow: fields beyond the bound', () => {
    const fields: Fields = new Map()
    expect(fitFields({ a: 1, b: 2, c: true }, fields, bound(1)).overflow).toBe('{"b":2,"c":true}')
    expect(fitFields({ a: 'text' }, fields, bound(1)).overflow).toBe('{"a":"text"}')
    expect([...fields.keys()]).toEqual(['a'])
  })

  it('is in the overflow: names that are reserved or no names', () => {
    const sample = JSON.parse(
      '{"time":1,"Bad Name":2,"__proto__":3,"x_as_text":4,"node_id":5}',
    ) as Record<string, number>
    const { changes, overflow } = fitFields(sample, new Map(), bound(9))
    expect(changes).toEqual([])
    expect(overflow).toBe('{"time":1,"Bad Name":2,"__proto__":3,"x_as_text":4,"node_id":5}')
  })

  it('is no run: that is text however it is written', () => {
    const fields: Fields = new Map()
    expect(fitFields({ run: 5 }, fields, bound(9)).values.get('run')).toBe('5')
    expect(fitFields({ run: 'five' }, fields, bound(9)).overflow).toBeNull()
    expect([...fields.keys()]).toEqual(['run'])
  })
})
