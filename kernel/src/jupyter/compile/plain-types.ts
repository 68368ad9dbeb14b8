import ts from 'typescript'
import type { Home } from './names.ts'

/** A declaration of a name of an earlier cell that stands by itself, such as `declare let count: number;`. */
export interface PlainDeclaration {
  readonly text: string
  /** The names of JavaScript's own types in it, such as `Map`. */
  readonly globals: ReadonlySet<string>
}

/** A longer type stays in the module of its cell. */
const maxLength = 400
/** A type that consists of more types stays in the module of its cell. */
const maxParts = 60
/** So does a type whose parts are nested more deeply. Types that contain themselves are such types. */
const maxDepth = 6

/** Words of types that mean something else in another module. */
const bound = /\b(?:typeof|unique|import|this|asserts|infer|keyof|globalThis)\b/u

/**
 * Write the declaration of what a cell's module exports under a name. Returns null when the declaration would not mean the same in another module: when its
 * type has parts that cells or packages declare, when it is a literal type or is generic.
 */
export function maybePlain(
  program: ts.Program,
  file: ts.SourceFile,
  { name, kind }: { name: string; kind: Home['kind'] },
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

/** The same declaration with JavaScript's own types named in full, for a module that has other types of these names. */
export function qualified({ text, globals }: PlainDeclaration): string {
  return [...globals].reduce(
    // Names of members and parameters are followed by a colon, those of methods by a parenthesis.
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

/** The `5` of `const n = 5`. A variable that is initialized with `n` is a number, but with a constant of the type 5 it has the type 5. */
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

/** Whether a variable has the result of a call. The type of a variable without a value changes with what is assigned to it. */
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

/** Finds out whether a type consists of JavaScript's own types alone. */
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

  /** Whether a type is one of JavaScript's own, and is declared nowhere else too. */
  #isGlobal({ name, declarations = [] }: ts.Symbol): boolean {
    const isGlobal = declarations.every(
      ({ parent }) => ts.isSourceFile(parent) && this.#program.isSourceFileDefaultLibrary(parent),
    )
    if (isGlobal) this.globals.add(name)
    return isGlobal && declarations.length > 0
  }
}

/** The parts of a union without `true` and `false` where it has both. */
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
