// A table as text/csv (RFC 4180) that a spreadsheet opens as it stands: UTF-8 with a byte order mark, and no
// cell that it would take for a formula.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

class csv_writer
{
public:
    // Excel takes the separator of the reader's country: a semicolon where the comma is for decimals.
    explicit csv_writer(std::string_view language) : separator_(language == "en" ? ',' : ';') {}

    static std::string beginning() { return "\xef\xbb\xbf"; }
    // One line. A cell that begins with = + - @, a tab or a line break gets an apostrophe in front.
    std::string row(const std::vector<std::string>& cells) const;

private:
    char separator_;
};

} // namespace coursegate::web_gateway
