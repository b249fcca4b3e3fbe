#include "domain/csv_writer.hpp"

namespace coursegate::web_gateway {

std::string csv_writer::row(const std::vector<std::string>& cells) const
{
    std::string out;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i > 0)
            out += separator_;
        const auto& cell = cells[i];
        const bool is_formula =
            !cell.empty() && std::string_view("=+-@\t\r\n").find(cell.front()) != std::string_view::npos;
        const bool needs_quotes = cell.find_first_of(",;\"\r\n\t") != std::string::npos;
        if (needs_quotes)
            out += '"';
        if (is_formula)
            out += '\'';
        for (const char c : cell) {
            if (c == '"')
                out += '"';
            out += c;
        }
        if (needs_quotes)
            out += '"';
    }
    return out + "\r\n";
}

} // namespace coursegate::web_gateway
