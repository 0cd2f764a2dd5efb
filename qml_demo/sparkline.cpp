// SPDX-License-Identifier: MIT
#include "sparkline.h"

#include <QtGui/QPainter>
#include <QtGui/QPainterPath>

#include <algorithm>

namespace {

constexpr qreal LineWidth = 1.5;
constexpr qreal DotRadius = 2.5;

} // namespace

Sparkline::Sparkline(QQuickItem *parent) : QQuickPaintedItem(parent)
{
    setAntialiasing(true);
}

void Sparkline::setValues(const QList<qreal> &values)
{
    m_values = values;
    Q_EMIT valuesChanged();
    update();
}

void Sparkline::setColor(const QColor &color)
{
    if (color == m_color)
        return;
    m_color = color;
    Q_EMIT colorChanged();
    update();
}

void Sparkline::paint(QPainter *painter)
{
    if (m_values.size() < 2)
        return;
    const QRectF area = boundingRect().adjusted(DotRadius, DotRadius, -DotRadius, -DotRadius);
    const auto [lowest, highest] = std::minmax_element(m_values.cbegin(), m_values.cend());
    // A rate that never moved is a line through the middle.
    const qreal range = *highest - *lowest;
    const qreal step = area.width() / qreal(m_values.size() - 1);

    QPolygonF line;
    for (qsizetype i = 0; i < m_values.size(); ++i) {
        const qreal height = range > 0 ? (m_values.at(i) - *lowest) / range : 0.5;
        line.append({ area.left() + step * qreal(i), area.bottom() - height * area.height() });
    }

    QPolygonF below = line;
    below << area.bottomRight() << area.bottomLeft();
    QColor fill = m_color;
    fill.setAlphaF(0.10F);
    painter->setPen(Qt::NoPen);
    painter->setBrush(fill);
    painter->drawPolygon(below);

    painter->setPen(QPen(m_color, LineWidth, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter->drawPolyline(line);
    painter->setPen(Qt::NoPen);
    painter->setBrush(m_color);
    painter->drawEllipse(line.last(), DotRadius, DotRadius);
}
