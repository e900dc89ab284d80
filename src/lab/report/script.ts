/**
 * What moves on a report: one limit is chosen by pointer, finger or slider, and every plot says its values there; series are switched
 * off and on; an axis becomes logarithmic.
 *
 * Promises  It reads and moves what is on the page already. Without it the page says the same.
 *
 * Each figure of the class `plot` has, as data-values, a JSON object: `stops` (the x values that can be chosen), `labels` of them,
 * `values` (for each series, the text at each stop, or null).
 */
export const SCRIPT = `'use strict';
(() => {
  const plots = [...document.querySelectorAll('figure.plot')].map((figure) => {
    const { stops, labels, values } = JSON.parse(figure.dataset.values);
    return {
      figure, stops, labels, values,
      slider: figure.querySelector('input[type=range]'),
      where: figure.querySelector('.where'),
      keys: [...figure.querySelectorAll('button.key')],
      drawings: [...figure.querySelectorAll('svg.wide, svg.narrow')],
    };
  });

  const nearest = (stops, x) => stops.reduce((best, stop, i) => (Math.abs(stop - x) < Math.abs(stops[best] - x) ? i : best), 0);

  const show = (plot, i) => {
    const x = plot.stops[i];
    plot.slider.value = String(i);
    plot.where.textContent = plot.labels[i];
    const said = plot.keys.map((key, k) => {
      const value = plot.values[k][i];
      key.querySelector('output').textContent = value ?? '–';
      return key.getAttribute('aria-pressed') === 'true' && value !== null ? key.dataset.name + ' ' + value : '';
    });
    plot.slider.setAttribute('aria-valuetext', [plot.labels[i], ...said.filter((text) => text !== '')].join(', '));
    for (const svg of plot.drawings) {
      const { left, right, low, high } = svg.dataset;
      const share = (x - low) / Math.max(1e-9, high - low);
      const cursor = svg.querySelector('.cursor');
      cursor.style.visibility = 'visible';
      cursor.style.transform = 'translateX(' + (Number(left) + share * (right - left)) + 'px)';
    }
  };

  const choose = (group, x) => {
    for (const plot of plots) if (plot.figure.dataset.group === group) show(plot, nearest(plot.stops, x));
  };

  for (const plot of plots) {
    const { group } = plot.figure.dataset;
    plot.slider.addEventListener('input', () => choose(group, plot.stops[Number(plot.slider.value)]));
    for (const svg of plot.drawings) {
      const follow = (event) => {
        const { left, right, low, high } = svg.dataset;
        const box = svg.getBoundingClientRect();
        const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
        choose(group, Number(low) + ((at - left) / (right - left)) * (high - low));
      };
      svg.addEventListener('pointermove', follow);
      svg.addEventListener('pointerdown', follow);
    }
    plot.keys.forEach((key, k) => {
      key.disabled = false;
      key.addEventListener('click', () => {
        const on = key.getAttribute('aria-pressed') !== 'true';
        key.setAttribute('aria-pressed', String(on));
        for (const line of plot.figure.querySelectorAll('[data-series="' + k + '"]')) line.style.display = on ? '' : 'none';
        show(plot, Number(plot.slider.value));
      });
    });
    const scale = plot.figure.querySelector('button.scale');
    scale?.addEventListener('click', () => {
      const log = scale.getAttribute('aria-pressed') !== 'true';
      scale.setAttribute('aria-pressed', String(log));
      plot.figure.dataset.scale = log ? 'log' : 'linear';
    });
    choose(group, Number(plot.figure.dataset.start));
  }
  document.body.classList.add('interactive');
})();
`;

/** Of SCRIPT, in base64: written down, so that whoever writes a page needs no hash function. A test holds it. */
export const SCRIPT_SHA256 = '3931yTMyFxAGpZxlWnJr+G/h8Sq2DPE0WcGVu+pFUqE=';
