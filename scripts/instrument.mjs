/**
 * Where a program branches, and the same program with a mark set on each way that it takes.
 *
 * Promises  1. A branch is what Istanbul and vitest count: both ways of an if and of ?:, each operand of && || ??, each case,
 *              a default that is used.
 *           2. The marked program does the same. Each of its lines stands one further down: the first says that TypeScript
 *              need not look for what only the marks make odd.
 */
import ts from 'typescript';

const LOGICAL = [ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken];

/** One way that the program may take. @typedef {{ line: number, kind: string, text: string }} Branch */

/**
 * @param {string} name under which the marks are kept: in `globalThis.revmapBranches`, one byte for each branch
 * @param {string} source
 * @returns {{ branches: Branch[], text: string }}
 */
export function instrument(name, source) {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  /** @type {Branch[]} */
  const branches = [];
  const body = print(file);
  const kept = `(((globalThis as any).revmapBranches ??= {})[${JSON.stringify(name)}] ??= new Uint8Array(${branches.length}))`;
  return { branches, text: `// @ts-nocheck\nconst branchTaken: Uint8Array = ${kept}; ${body}` };

  /** @param {ts.Node} at @param {string} kind @param {ts.Node} shown */
  function mark(at, kind, shown = at) {
    const { line } = file.getLineAndCharacterOfPosition(at.getStart(file));
    const text = shown.getText(file).replaceAll(/\s+/g, ' ');
    branches.push({ line: line + 1, kind, text });
    return `branchTaken[${branches.length - 1}]=1`;
  }

  /** The text of a node with what stands before it. @param {ts.Node} node @returns {string} */
  function print(node) {
    let text = '';
    let done = node.getFullStart();
    ts.forEachChild(node, (child) => {
      text += source.slice(done, child.getFullStart()) + printChild(node, child);
      done = child.end;
    });
    return text + source.slice(done, node.end);
  }

  /** @param {ts.Node} parent @param {ts.Node} child @returns {string} */
  function printChild(parent, child) {
    if (ts.isIfStatement(parent)) {
      if (child === parent.thenStatement) {
        const then = `{${mark(parent, 'if', parent.expression)};${print(child)}}`;
        return parent.elseStatement ? then : `${then}else{${mark(parent, 'else of', parent.expression)};}`;
      }
      if (child === parent.elseStatement) return ` {${mark(parent, 'else of', parent.expression)};${print(child)}}`;
    }
    if (ts.isConditionalExpression(parent)) {
      if (child === parent.whenTrue) return `(${mark(child, '?')},${print(child)})`;
      if (child === parent.whenFalse) return `(${mark(child, ':')},${print(child)})`;
    }
    if (isLogical(parent) && isOperand(parent, child) && !isLogical(withoutParentheses(child))) {
      return `(${mark(child, parent.operatorToken.getText(file))},${print(child)})`;
    }
    if (ts.isCaseOrDefaultClause(child)) return printClause(child);
    const hasDefault = ts.isParameter(parent) || ts.isBindingElement(parent);
    if (hasDefault && child === parent.initializer) return `(${mark(child, '=')},${print(child)})`;
    return print(child);
  }

  /** @param {ts.CaseOrDefaultClause} clause */
  function printClause(clause) {
    const colon = clause.statements.pos;
    let text = source.slice(clause.getFullStart(), colon);
    if (ts.isCaseClause(clause)) {
      const { expression } = clause;
      text = `${source.slice(clause.getFullStart(), expression.getFullStart())}${print(expression)}:`;
    }
    const [kind, shown] = ts.isCaseClause(clause)
      ? ['case', clause.expression]
      : ['default of', clause.parent.parent.expression];
    text += `${mark(clause, kind, shown)};`;
    let done = colon;
    for (const statement of clause.statements) {
      text += source.slice(done, statement.getFullStart()) + print(statement);
      done = statement.end;
    }
    return text + source.slice(done, clause.end);
  }
}

/** @param {ts.Node} node @returns {node is ts.BinaryExpression} */
function isLogical(node) {
  return ts.isBinaryExpression(node) && LOGICAL.includes(node.operatorToken.kind);
}

/** @param {ts.BinaryExpression} parent @param {ts.Node} child */
function isOperand(parent, child) {
  return child === parent.left || child === parent.right;
}

/** @param {ts.Node} node @returns {ts.Node} */
function withoutParentheses(node) {
  return ts.isParenthesizedExpression(node) ? withoutParentheses(node.expression) : node;
}
