/** The page: opens what the address names, and draws. */
import { render } from 'preact';
import { Page } from './app/page.tsx';
import { startPage } from './app/start.ts';
import './style/base.css';
import './style/shell.css';

render(<Page />, document.getElementById('page')!);
void startPage();
