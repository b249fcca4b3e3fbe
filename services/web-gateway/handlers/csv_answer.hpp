// A table to be taken along, as a file.
#pragma once

#include "domain/csv_writer.hpp"

#include "coursegate/http/server.hpp"

#include <functional>
#include <optional>
#include <string>

namespace coursegate::web_gateway {

// "grants.csv", the whole of it.
http::response csv_answer(const std::string& file, std::string content);

// The same in pieces, however many rows there are: `more` is asked until it gives nothing. When the database
// goes away in between, the download breaks off, so that nobody takes a part for the whole.
using csv_pieces = std::function<async::task<std::optional<std::string>>()>;
http::response csv_stream(const std::string& file, std::function<csv_pieces()> begin);

} // namespace coursegate::web_gateway
