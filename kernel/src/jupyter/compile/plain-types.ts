import ts from 'typescript'
import type { Origin } from './names.ts'

/** A plain declaration of a name of an earlier cell. It means the same in every module, such as `declare let count: number;`. */
export interface PlainDeclaration {
  readonly text: string
  /** The names of JavaScript's own types in it, such as `Map`. */
  readonly globals: ReadonlySet<string>
}

/** A name with a longer type has no plain declaration. */
const maxLength = 400
/** A name whose type has more parts than this has no plain declaration. */
const maxParts = 60
/** Nor has one whose type is nested more deeply. This includes recursive types. */
const maxDepth = 6

/** Words in types that mean something else in another module. */
const bound = /\b(?:typeof|unique|import|this|asserts|infer|keyof|globalThis)\b/u

/**
 * Write the plain declaration of a name that a cell's module exports. Returns null when the declaration would not mean the same in another module: its type has
 * parts that cells or packages declare, is a literal type, or is generic.
 */
export function maybePlain(
  program: ts.Program,
  file: ts.SourceFile,
  { name, kind }: { name: string; kind: Origin['kind'] },
): PlainDeclaration | null {
  if (kind !== 'variable' && kind !== 'constant' && kind !== 'union') return null
  const checker = program.getTypeChecker()
  const symbol = symbolOf(checker, file, name)
  const declaration = symbol?.valueDeclaration
  if (symbol === undefined || declaration === undefined) return null
  const literal = kind === 'variable' ? null : literalOf(declaration)
  if (literal !== null) return { text: `declare const ${name} = ${literal};`, globals: new Set() }
  const type = checker.getTypeOfSymbol(symbol)
  const reader = new TypeReader(program)
  const isAny = (type.flags & ts.TypeFlags.Any) !== 0 && isCalled(declaration)
  if (!isAny && !reader.isPlain(type)) return null
  const flags = ts.TypeFormatFlags.NoTruncation
  const text = ts.isFunctionDeclaration(declaration)
    ? type
        .getCallSignatures()
        .map(
          (each) => `declare function ${name}${checker.signatureToString(each, undefined, flags)};`,
        )
        .join(' ')
    : `declare ${kind === 'variable' ? 'let' : 'const'} ${name}: ${checker.typeToString(type, undefined, flags)};`
  const { globals } = reader
  if (text.length > maxLength || text.includes('\n') || bound.test(text)) return null
  if (globals.size > 0 && /["'`]/u.test(text)) return null
  return { text, globals }
}

/** Write a plain declaration for a module that has types of its own with the names of JavaScript's types: those are written as `globalThis.Map`. */
export function qualified({ text, globals }: PlainDeclaration): string {
  return [...globals].reduce(
    // A word before a colon is the name of a member or parameter; a word before a parenthesis is that of a method.
    (changed, name) =>
      changed.replaceAll(
        new RegExp(`(?<![\\w$.])${name}(?![\\w$]|\\??:|\\()`, 'gu'),
        `globalThis.${name}`,
      ),
    text,
  )
}

function symbolOf(
  checker: ts.TypeChecker,
  file: ts.SourceFile,
  name: string,
): ts.Symbol | undefined {
  const module = checker.getSymbolAtLocation(file)
  const found = module === undefined ? undefined : checker.tryGetMemberInModuleExports(name, module)
  if (found === undefined || (found.flags & ts.SymbolFlags.Alias) === 0) return found
  return checker.getAliasedSymbol(found)
}

/**
 * Return the `5` of `const n = 5`. The plain declaration repeats it: after `declare const n = 5`, the type of `let m = n` is number, as in the cell. After
 * `declare const n: 5` it would be 5.
 */
function literalOf(declaration: ts.Declaration): string | null {
  if (!ts.isVariableDeclaration(declaration) || declaration.type !== undefined) return null
  const { initializer } = declaration
  if (initializer === undefined) return null
  const value =
    ts.isPrefixUnaryExpression(initializer) && initializer.operator === ts.SyntaxKind.MinusToken
      ? initializer.operand
      : initializer
  const isLiteral =
    ts.isNumericLiteral(value) ||
    (value === initializer &&
      (ts.isStringLiteral(value) ||
        value.kind === ts.SyntaxKind.TrueKeyword ||
        value.kind === ts.SyntaxKind.FalseKeyword))
  const text = initializer.getText()
  return isLiteral && text.length <= maxLength && !text.includes('\n') ? text : null
}

/** Tell whether a variable is initialized with a call. The type of a variable without an initializer depends on later assignments. */
function isCalled(declaration: ts.Declaration): boolean {
  if (!ts.isVariableDeclaration(declaration) || declaration.initializer === undefined) return false
  const { initializer } = declaration
  const value = ts.isAwaitExpression(initializer) ? initializer.expression : initializer
  return ts.isCallExpression(value)
}

const primitives =
  ts.TypeFlags.String |
  ts.TypeFlags.Number |
  ts.TypeFlags.Boolean |
  ts.TypeFlags.BigInt |
  ts.TypeFlags.ESSymbol |
  ts.TypeFlags.Null |
  ts.TypeFlags.Undefined |
  ts.TypeFlags.Void |
  ts.TypeFlags.Never |
  ts.TypeFlags.Unknown |
  ts.TypeFlags.NonPrimitive

const literalShapes =
  ts.SymbolFlags.TypeLiteral |
  ts.SymbolFlags.ObjectLiteral |
  ts.SymbolFlags.Function |
  ts.SymbolFlags.Method
const otherShapes = ts.SymbolFlags.Class | ts.SymbolFlags.Enum | ts.SymbolFlags.Module

/** Determines whether a type consists only of JavaScript's own types. */
class TypeReader {
  readonly globals = new Set<string>()
  readonly #program: ts.Program
  readonly #checker: ts.TypeChecker
  #parts = 0

  constructor(program: ts.Program) {
    this.#program = program
    this.#checker = program.getTypeChecker()
  }

  isPlain(type: ts.Type, depth = 0): boolean {
    this.#parts += 1
    if (depth > maxDepth || this.#parts > maxParts) return false
    const each = (part: ts.Type): boolean => this.isPlain(part, depth + 1)
    const { aliasSymbol, flags } = type
    if (aliasSymbol !== undefined)
      return this.#isGlobal(aliasSymbol) && (type.aliasTypeArguments ?? []).every(each)
    if ((flags & ts.TypeFlags.EnumLike) !== 0) return false
    if ((flags & primitives) !== 0) return true
    if (type.isUnion()) return withoutBooleans(type.types).every(each)
    return isObject(type) && this.#isPlainObject(type, each)
  }

  #isPlainObject(type: ts.ObjectType, each: (part: ts.Type) => boolean): boolean {
    const checker = this.#checker
    if (isReference(type)) {
      const isList = checker.isArrayType(type) || checker.isTupleType(type)
      return (isList || this.#isGlobal(type.symbol)) && checker.getTypeArguments(type).every(each)
    }
    if (type.isClassOrInterface()) return this.#isGlobal(type.symbol)
    const { objectFlags } = type
    if ((objectFlags & ts.ObjectFlags.Anonymous) === 0) return false
    if ((objectFlags & (ts.ObjectFlags.Mapped | ts.ObjectFlags.EvolvingArray)) !== 0) return false
    const { flags } = type.symbol
    if ((flags & literalShapes) === 0 || (flags & otherShapes) !== 0) return false
    const properties = type.getProperties()
    const signatures = type.getCallSignatures()
    if (type.getConstructSignatures().length > 0) return false
    if (signatures.length > 0 && properties.length > 0) return false
    return (
      properties.every(
        (property) => isPlainProperty(property) && each(checker.getTypeOfSymbol(property)),
      ) &&
      checker
        .getIndexInfosOfType(type)
        .every((info) => (info.keyType.flags & primitives) !== 0 && each(info.type)) &&
      signatures.every((signature) => this.#isPlainSignature(signature, each))
    )
  }

  #isPlainSignature(signature: ts.Signature, each: (part: ts.Type) => boolean): boolean {
    const checker = this.#checker
    if ((signature.getTypeParameters() ?? []).length > 0) return false
    if (checker.getTypePredicateOfSignature(signature) !== undefined) return false
    return (
      signature.getParameters().every((parameter) => each(checker.getTypeOfSymbol(parameter))) &&
      each(signature.getReturnType())
    )
  }

  /** Tell whether a type is one of JavaScript's own and has no other declaration. */
  #isGlobal({ name, declarations = [] }: ts.Symbol): boolean {
    const isGlobal = declarations.every(
      ({ parent }) => ts.isSourceFile(parent) && this.#program.isSourceFileDefaultLibrary(parent),
    )
    if (isGlobal) this.globals.add(name)
    return isGlobal && declarations.length > 0
  }
}

/** Return the parts of a union, without `true` and `false` if it has both. */
function withoutBooleans(types: readonly ts.Type[]): readonly ts.Type[] {
  const others = types.filter(({ flags }) => (flags & ts.TypeFlags.BooleanLiteral) === 0)
  return types.length - others.length === 2 ? others : types
}

function isPlainProperty({ name, flags }: ts.Symbol): boolean {
  return !name.startsWith('__') && (flags & ts.SymbolFlags.Accessor) === 0
}

function isObject(type: ts.Type): type is ts.ObjectType {
  return (type.flags & ts.TypeFlags.Object) !== 0
}

function isReference(type: ts.ObjectType): type is ts.TypeReference {
  return (type.objectFlags & ts.ObjectFlags.Reference) !== 0
}
