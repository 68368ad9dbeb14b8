import ts from 'typescript'

interface Document {
  readonly file: ts.SourceFile
  readonly snapshot: ts.IScriptSnapshot
  readonly version: string
}

/**
 * Create the registry of parsed files of one language service. A file stays in it when no cell imports it any more. TypeScript's own registry would drop a
 * library with the last cell that imports it.
 */
export function createDocuments(): ts.DocumentRegistry {
  const documents = new Map<string, Document>()

  const acquire = (
    fileName: string,
    snapshot: ts.IScriptSnapshot,
    {
      version,
      kind,
      options,
    }: { version: string; kind: ts.ScriptKind | undefined; options: Options },
  ): ts.SourceFile => {
    const known = documents.get(fileName)
    if (known?.version === version) return known.file
    const file =
      known === undefined
        ? ts.createLanguageServiceSourceFile(fileName, snapshot, options, version, false, kind)
        : ts.updateLanguageServiceSourceFile(
            known.file,
            snapshot,
            version,
            snapshot.getChangeRange(known.snapshot),
          )
    documents.set(fileName, { file, snapshot, version })
    return file
  }
  const byPath: ts.DocumentRegistry['acquireDocument'] = (
    fileName,
    _settings,
    snapshot,
    version,
    kind,
    options = ts.ScriptTarget.ES2024,
  ) => acquire(fileName, snapshot, { version, kind, options })
  const byKey: ts.DocumentRegistry['acquireDocumentWithKey'] = (
    fileName,
    _path,
    _settings,
    _key,
    snapshot,
    version,
    kind,
    options = ts.ScriptTarget.ES2024,
  ) => acquire(fileName, snapshot, { version, kind, options })
  return {
    acquireDocument: byPath,
    updateDocument: byPath,
    acquireDocumentWithKey: byKey,
    updateDocumentWithKey: byKey,
    // There is one service with one set of options, so one key is enough.
    getKeyForCompilationSettings: () => 'cells' as ts.DocumentRegistryBucketKey,
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the interface requires this method; only one of its overloads is deprecated
    releaseDocument: () => undefined,
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- as above
    releaseDocumentWithKey: () => undefined,
    reportStats: () => `${documents.size} files`,
  }
}

type Options = ts.ScriptTarget | ts.CreateSourceFileOptions
