// Beast's compiled part, once for the whole program (BOOST_BEAST_SEPARATE_COMPILATION). Asio's is in
// libs/async.
#include <boost/beast/src.hpp>
