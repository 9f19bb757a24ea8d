import { render } from 'preact'
import { App } from './app.tsx'
import { takeFromAddress } from './live/access.ts'
import './style.css'

// A link that is opened in a tab with this page only changes what comes after the #.
takeFromAddress()
addEventListener('hashchange', takeFromAddress)

const place = document.getElementById('app')
if (place !== null) render(<App />, place)
